"""Accounts as a digest finds them stored, and the digest of these."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.state import AccountState
from fluence_watch.model.billing import EPOCHS
from fluence_watch.model.boundaries import Boundaries
from fluence_watch.model.digest import Digest, Period, ThingCost
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResource
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.views.digest import Account, Ledger, Slot, digest_of

NOW = datetime(2026, 4, 13, 8, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PERIOD = Period(date(2026, 4, 10), date(2026, 4, 12))
SLOT = Slot(NOW, PERIOD, NOW + DAY)
PRICE = MicroUsdc(300_000)
LONG_AGO = date(2026, 1, 1)


def vm(key: str = "0xa", **changes: object) -> KnownVm:
    """A VM that is charged in four hours, and has a reserve for two more epochs."""
    made = Vm(key, f"vm-{key}", Status.ACTIVE, "active", PRICE, MicroUsdc(2 * PRICE), next_billing_at=NOW + 4 * HOUR)  # fmt: skip
    boundaries = changes.pop("boundaries", None)
    assert boundaries is None or isinstance(boundaries, Boundaries)
    return KnownVm(replace(made, **changes), NOW - 9 * DAY, boundaries=boundaries)  # type: ignore[arg-type] # fields by name


def disk(key: str = "d", **changes: object) -> KnownResource:
    """A disk that nothing uses."""
    made = Resource(Kind.DISK, key, f"disk-{key}", "ready", MicroUsdc(1_000))
    return KnownResource(replace(made, **changes), NOW - 9 * DAY)  # type: ignore[arg-type] # fields by name


def account(*things: KnownVm | KnownResource, name: str = "main", **state: object) -> Account:
    """An account with these things, read just now."""
    known = {each.vm.key: each for each in things if isinstance(each, KnownVm)}
    resources = {each.resource.key: each for each in things if isinstance(each, KnownResource)}
    made = AccountState(known, last_good_at=NOW, resources=resources, whole_at=NOW)
    return Account(name, replace(made, **state), EPOCHS)  # type: ignore[arg-type] # fields by name


def cost(key: str, amount: int, of: str = "main", estimated: int = 0) -> ThingCost:
    """What a thing cost in a period."""
    kind = key.partition(":")[0] if ":" in key else "vm"
    return ThingCost(of, key, kind, key, MicroUsdc(amount), MicroUsdc(estimated))


def ledger(
    now: Mapping[str, int], before: Mapping[str, int] | None = None, begins: date = LONG_AGO
) -> Ledger:
    """What things cost in the period, and in the one before."""
    return Ledger(
        [cost(*each) for each in now.items()],
        [cost(*each) for each in (before or {}).items()],
        {"main": begins},
    )


def digest(*accounts: Account, of: Ledger = Ledger(), ended: tuple[Alert, ...] = ()) -> Digest:  # noqa: B008 - frozen
    """The digest of these accounts."""
    return digest_of(accounts or (account(),), of, ended, SLOT, now=NOW, events={"price_changed"})


def alert(
    key: str, severity: Severity = Severity.WARNING, rule: str = "poll_failing", **more: object
) -> Alert:
    """An alert that fires for two days."""
    at = NOW - 2 * DAY
    facts = PollFailing("unreachable", "no answer")
    made = Alert(Fingerprint("main", rule, key=key), severity, State.FIRING, facts, at, at)
    return replace(made, **more)  # type: ignore[arg-type] # fields by name
