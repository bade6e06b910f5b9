"""PromQL that several panels share; `$account`, `$datacenter` and `$vm` are Grafana variables.

Descriptive labels are on `fluence_vm_info` alone, so other series join it by account and VM. A VM
is its account and id: its name may change, and with it its series.
"""

VM = "account, vm_id"
"""The labels that identify a VM."""

ACCOUNT = 'account=~"$account"'
CHOSEN = f'{ACCOUNT}, vm_id=~"$vm"'
INFO = f'fluence_vm_info{{{CHOSEN}, datacenter=~"$datacenter"}}'
"""The chosen VMs that are there now."""
PLACES = f'fluence_vms{{{ACCOUNT}, datacenter=~"$datacenter"}}'
"""How many VMs there are, by place and status."""

_ENDED = f'fluence_vm_status{{{CHOSEN}, status=~"draft|terminating|terminated|failed"}}'
_CLOUD = INFO.replace("{", '{dialect="cloud", ')
_EPOCHS = INFO.replace("{", '{dialect!="cloud", ')


def vm(metric: str, more: str = "") -> str:
    """The series of the chosen VMs; `metric` without `fluence_vm_`, `more` are matchers."""
    return f"fluence_vm_{metric}{{{CHOSEN}{', ' if more else ''}{more}}}"


def placed(metric: str, more: str = "") -> str:
    """As `vm`, with the label `datacenter`, and only in the chosen ones."""
    return f"{vm(metric, more)} * on ({VM}) group_left (datacenter) {INFO}"


def billed(expression: str) -> str:
    """The expression without the VMs that are not charged any more."""
    return f"({expression} unless on ({VM}) {_ENDED})"


BURN = billed(
    f"{vm('price_per_epoch_usdc')} * on ({VM}) group_left (datacenter) (24 * {_CLOUD} or {_EPOCHS})"
)
"""USDC a day of each VM: a price is for an epoch of 24 hours, in the dialect `cloud` for an hour."""

_MONTH_END = (
    "(time() - time() % 86400 + 86400 * scalar(days_in_month() - day_of_month() + vector(1)))"
)
TO_MONTH_END = billed(
    f"{vm('price_per_epoch_usdc')} * on ({VM}) (clamp_min(ceil("
    f"({_MONTH_END} - {vm('next_billing_timestamp_seconds')}) / 86400), 0) * on ({VM}) {_EPOCHS}"
    f" or on ({VM}) ({_MONTH_END} - time()) / 3600 * {_CLOUD})"
)
"""USDC of each VM for what is charged before the month ends (UTC): whole epochs, or by the second."""

LEFT = billed(f"({placed('funded_until_timestamp_seconds')}) - time()")
"""Seconds for which each VM is still paid, its reserve included."""

_SPENT = vm("charged_usdc_total")
_SEEN = f"({INFO} or on ({VM}) topk by ({VM}) (1, last_over_time({INFO}[$__range])))"
SPENT = (
    f"((max by ({VM}) (max_over_time({_SPENT}[$__range])) - on ({VM}) ("
    f"max by ({VM}) (last_over_time({_SPENT}[1h] offset $__range))"
    f" or on ({VM}) 0 * max by ({VM}) (last_over_time({vm('created_timestamp_seconds')}[$__range])"
    " >= time() - $__range_s - 3600)"
    f" or on ({VM}) min by ({VM}) (min_over_time({_SPENT}[$__range]))))"
    f" * on ({VM}) group_left (vm_name, datacenter) {_SEEN})"
)
"""USDC that each VM spent in the range of the dashboard, also those that are gone by now.

The counter never falls, so the highest value in the range is the last one. From it goes what had been
charged when the range began: the last value in the hour before; nothing for a VM that was not seen in
that hour because it is younger; else the first value in the range (what came before is unknown). A gap
loses nothing, since the counter goes on; what is charged in a gap around the beginning counts after it.
So ranges that follow each other add up, to the micro-USDC: `increase` extrapolates, and does not see the
first charge of a VM.
"""

CHARGED = f"fluence_account_charged_usdc_total{{{ACCOUNT}}}"
"""USDC charged for everything that an account rents or rented."""

FIRING = 'fluence_watch_alerts{account=~"$account|fluence-watch", state="firing"}'
"""How many alerts fire; those about the watcher have the account `fluence-watch`."""


def age(metric: str) -> str:
    """Seconds since the timestamp in a metric of the chosen accounts."""
    return f"time() - {metric}{{{ACCOUNT}}}"


def of_watcher(expression: str) -> str:
    """The expression for the processes of fluence-watch alone: others export the same names."""
    return f"{expression} and on (job, instance) fluence_watch_build_info"
