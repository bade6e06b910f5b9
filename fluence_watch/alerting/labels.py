"""The labels of an alert: the same names for every rule."""

from collections.abc import Iterator, Mapping

from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.model.finding import shown_account, vm_of


def labels(alert: Alert) -> Mapping[str, str]:
    """`rule`, `severity`, `account`; for a VM also `vm_id`, `vm_name`, `datacenter`, `status`.

    A label whose value is unknown is absent.
    """
    return {name: value for name, value in _labels(alert) if value}


def _labels(alert: Alert) -> Iterator[tuple[str, str | None]]:
    yield "rule", alert.fingerprint.rule
    yield "severity", alert.severity.value
    yield "account", shown_account(alert.fingerprint.account)
    if vm := vm_of(alert.facts):
        yield "vm_id", vm.id
        yield "vm_name", vm.name
        yield "datacenter", vm.datacenter
        status = getattr(alert.facts, "status", None)
        yield "status", str(status) if status else None
