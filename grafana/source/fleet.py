"""*Fleet*: what all VMs cost, who runs dry first, and where they stand."""

from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
)

from grafana.source.board import Section, board, finished, with_account, with_datacenter, with_vm
from grafana.source.panels import (
    BAD_ABOVE_ZERO,
    COUNT,
    DATE,
    DAYS_LEFT,
    EPOCHS,
    SECONDS,
    USDC,
    AnyPanel,
    now,
    over_time,
    ranked,
    series,
    stat,
)
from grafana.source.places import places
from grafana.source.queries import (
    ACCOUNT,
    BURN,
    FIRING,
    LEFT,
    PLACES,
    SPENT,
    TO_MONTH_END,
    VM,
    placed,
    vm,
)
from grafana.source.tables import Column, table

_NAMED = "account, vm_id, vm_name, datacenter"
_ONE = ("vm_name", "account", "datacenter", "vm_id")
_SHORT_RESERVE = ((None, "red"), (1, "orange"), (2, "green"))


def dashboard() -> Dashboard:
    """The dashboard *Fleet*."""
    made = board(
        "fleet",
        "Fluence · Fleet",
        "All VMs: money, funding, places, ports, alerts.",
        "1m",
        "now-24h",
    )
    with_vm(with_datacenter(with_account(made)), several=True)
    return finished(
        made,
        [
            Section("As it is now", _summary()),
            Section("Money", _money()),
            Section("Who runs dry first", _funding()),
            Section("Alerts", _trouble()),
            Section("Where they stand", places()),
        ],
    )


def _summary() -> list[AnyPanel]:
    return [
        stat(
            "VMs",
            "VMs in the lists of the accounts, whatever their status.",
            COUNT,
            f"sum({PLACES})",
        ),
        stat(
            "Burn a day",
            "What the VMs that are still charged cost in 24 hours at their present prices. A VM"
            " whose price is unknown is not in it, nor are disks and public IPs that are billed by"
            " themselves: see the dashboard Accounts.",
            USDC,
            f"sum({BURN})",
        ),
        stat(
            "To the month's end",
            "What VMs are charged before the month ends (UTC), at present prices. VMs whose price or"
            " next charge is unknown are not in it.",
            USDC,
            f"sum({TO_MONTH_END})",
        ),
        stat(
            "Spent in the range",
            "What the VMs spent between the beginning and the end of the dashboard's range, also"
            " those that are gone by now. A restart of fluence-watch loses nothing. Disks, public IPs"
            " and GPU instances are not in it: see the dashboard Accounts.",
            USDC,
            f"sum({SPENT})",
        ),
        stat(
            "Shortest funding",
            "How long the VM that runs dry first is still paid, its reserve included. Accounts of the"
            " dialect cloud have no reserves: see the runway of the account.",
            SECONDS,
            f"min({LEFT})",
            steps=DAYS_LEFT,
        ),
        stat(
            "Firing alerts",
            "Alerts of fluence-watch that fire, in the chosen accounts and about the watcher itself.",
            COUNT,
            f"sum({FIRING}) or vector(0)",
            steps=BAD_ABOVE_ZERO,
        ),
    ]


def _money() -> list[AnyPanel]:
    return [
        series(
            "Burn a day by datacenter",
            "What all VMs of the accounts cost in 24 hours at the prices of that time; the 20 most"
            " expensive datacenters. Needs the recording rules of grafana/prometheus/rules: empty"
            " without them.",
            USDC,
            over_time(
                "topk(20, sum by (datacenter) (fluence:datacenter_burn_usdc:1d"
                f'{{{ACCOUNT}, datacenter=~"$datacenter"}}))',
                "{{datacenter}}",
            ),
            stacked=True,
        ),
        series(
            "Spent in the last 24 hours by account",
            "What each account spent in the 24 hours before each point, for everything that it rents;"
            " the 20 largest. Needs the recording rules of grafana/prometheus/rules: empty without"
            " them.",
            USDC,
            over_time(f"topk(20, fluence:account_spent_usdc:1d{{{ACCOUNT}}})", "{{account}}"),
        ),
        table(
            "Spent in the range by account",
            "What the VMs of each account spent in the dashboard's range, those that are gone included;"
            " the 100 largest.",
            ("account",),
            [Column("Spent", f"topk(100, sum by (account) ({SPENT}))", USDC)],
            descending=True,
        ),
        table(
            "Spent in the range by VM",
            "The 50 VMs that spent most in the dashboard's range, those that are gone included.",
            _ONE,
            [Column("Spent", f"topk(50, max by ({_NAMED}) ({SPENT}))", USDC)],
            descending=True,
        ),
    ]


def _funding() -> list[AnyPanel]:
    nearest = f"bottomk(50, max by ({_NAMED}) ({LEFT}))"

    def of_nearest(expression: str) -> str:
        return f"max by ({_NAMED}) ({expression}) and on ({VM}) {nearest}"

    until = f"1000 * ({placed('funded_until_timestamp_seconds')})"
    charge = placed("next_billing_timestamp_seconds")
    return [
        table(
            "Funded until, nearest first",
            "The 50 VMs that run dry first: how long each is still paid, its reserve included. The"
            " first charge that the reserve cannot pay ends the VM, and its disk is lost.",
            _ONE,
            [
                Column("Funded for", nearest, SECONDS, DAYS_LEFT),
                Column("Funded until", of_nearest(until), DATE),
                Column("Reserve", of_nearest(placed("reserved_balance_usdc")), USDC),
                Column("Price", of_nearest(placed("price_per_epoch_usdc")), USDC),
            ],
            width=16,
        ),
        ranked(
            "Reserve against price",
            "How many charges the reserve pays; the 20 VMs with the fewest. Under 1, the next charge"
            " ends the VM. It dips for a moment at each charge, until the reserve is topped up.",
            EPOCHS,
            now(
                f"bottomk(20, ({placed('reserved_balance_usdc')}) / on (account, vm_id, vm_name)"
                f" ({vm('price_per_epoch_usdc')} > 0))",
                "{{vm_name}} · {{account}}",
            ),
            steps=_SHORT_RESERVE,
        ),
        table(
            "Next charges",
            "The 20 VMs that are charged next, and the price: delete a VM before its charge to save"
            " it.",
            _ONE,
            [
                Column(
                    "Charged in",
                    f"bottomk(20, max by ({_NAMED}) (({charge}) - time()) > 0)",
                    SECONDS,
                ),
                Column(
                    "Price",
                    f"max by ({_NAMED}) ({placed('price_per_epoch_usdc')}) and on ({VM})"
                    f" bottomk(20, max by ({_NAMED}) (({charge}) - time()) > 0)",
                    USDC,
                ),
            ],
            width=24,
        ),
    ]


def _trouble() -> list[AnyPanel]:
    return [
        table(
            "What fires",
            "Alerts of fluence-watch that fire, by account and rule; the first 100. Empty when"
            " nothing fires.",
            ("account", "rule", "severity"),
            [
                Column(
                    "Alerts", f"topk(100, sum by (account, rule, severity) ({FIRING}) > 0)", COUNT
                )
            ],
            descending=True,
        ),
        table(
            "Drifted ports",
            "VMs whose open ports differ from what is expected, the first 50: opened are open and"
            " not expected, closed are expected and not open. Empty when nothing drifted.",
            ("vm_name", "account", "datacenter", "direction", "vm_id"),
            [
                Column(
                    "Ports",
                    f"topk(50, max by ({_NAMED}, direction) ({placed('drifted_ports')}) > 0)",
                    COUNT,
                )
            ],
            descending=True,
        ),
    ]
