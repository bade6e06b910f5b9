"""What is true of an account that pays by the second: its balance, disks, addresses and GPU instances."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fluence_watch.simulator.gpu import GpuInstance, GpuState
from fluence_watch.simulator.rental import Rental, RentalKind
from tests.e2e.truth.fleet import Sight
from tests.e2e.truth.plan import DAY, LOW_DAYS, MINUTE
from tests.e2e.truth.referee.bill import Bills
from tests.e2e.truth.referee.episodes import End, Found, Problems, What
from tests.e2e.truth.referee.known import CONFIRM_POLLS, FORGET_AFTER

WARN, CRITICAL = 3 * DAY, DAY
_KINDS = {RentalKind.DISK: "disk", RentalKind.ADDRESS: "public_ip"}
_REPLACED, _LOW = "funds_exhausted_soon", "account_low"


@dataclass
class Wallet:
    """What was seen of a metered account beside its VMs: in how many whole lists a thing was missing.

    `since` is the first of them.
    """

    bills: Bills
    missing: dict[str, int] = field(default_factory=dict)
    since: dict[str, datetime] = field(default_factory=dict)
    now: Sight | None = None
    is_soon: bool = False

    def see(self, sight: Sight) -> None:
        """A poll saw this."""
        self.now = sight
        self.bills.see(sight)
        listed = {key_of(each) for each in sight.rentals.values()}
        unsure = {key: count for key, count in self.missing.items() if self._is_unlisted(key)}
        gone = self.missing.keys() - listed - unsure.keys()
        since = {key: self.since.get(key, sight.at) for key in gone}
        since = {key: at for key, at in since.items() if sight.at - at <= FORGET_AFTER}
        missing = {key: self.missing[key] + 1 for key in since}
        self.since = since | {key: at for key, at in self.since.items() if key in unsure}
        self.missing = missing | unsure | dict.fromkeys(listed, 0)

    def found(self, problems: Problems) -> Iterator[Found]:
        """All that is true at this poll."""
        assert self.now
        if self.now.balance is not None:
            yield from self._funds(self.now, self.now.balance, problems)
        yield from self._rentals(self.now)
        if self.bills.is_wrong:
            yield Found(What(self.now.account, "bill_mismatch", ""), "warning")
        for gpu in self.now.gpus.values():
            yield from self._gpu(self.now, gpu)

    def absent(self, what: What) -> End | None:
        """How a problem ends that this poll does not find."""
        assert self.now
        if what.rule == "bill_mismatch":
            return None if self.bills.is_wrong is None else End.TOLD
        if not what.subject:
            return self._of_balance(what.rule)
        if what.rule in {"gpu_reserve", "gpu_status"}:
            gpu = next(g for g in self.now.gpus.values() if gpu_key(g) == what.subject)
            return End.TOLD if gpu.state is GpuState.ACTIVE else End.QUIET
        if self._is_unlisted(what.subject):
            return None
        return End.TOLD if self.missing.get(what.subject) == 0 else End.QUIET

    def _of_balance(self, rule: str) -> End | None:
        """How a problem of the balance ends: not while it, or a list of what it pays, is unknown."""
        assert self.now
        if self.now.balance is None:
            return None
        is_unsure = self.now.unlisted or self._is_replaced(rule)
        return None if rule in {_REPLACED, _LOW} and is_unsure else End.TOLD

    def _is_unlisted(self, key: str) -> bool:
        """Whether the list that would have it was not read."""
        assert self.now
        return any(key.startswith(f"{_KINDS[kind]}:") for kind in self.now.unlisted)

    def _is_replaced(self, rule: str) -> bool:
        """Whether a debt or, for `account_low`, money that ends soon is told instead."""
        assert self.now
        return (self.now.balance or 0) < 0 or (rule == _LOW and self.is_soon)

    def _funds(self, sight: Sight, balance: int, problems: Problems) -> Iterator[Found]:
        """A debt at once; else money that ends soon: once that fires, until it lasts a quarter longer.

        Else a low balance.
        """
        soon = What(sight.account, _REPLACED, "")
        if balance < 0:
            yield Found(What(sight.account, "debt", ""), "critical")
            return
        left = balance / sight.burn * DAY
        episode = problems.open.get(soon)
        fires = episode is not None and episode.starts_at is not None
        self.is_soon = left < (1.25 * WARN if fires else WARN)
        if self.is_soon:
            step = int(left < CRITICAL)
            yield Found(soon, "critical" if step else "warning", step, 30 * MINUTE)
        elif left < LOW_DAYS * DAY:
            what, step = What(sight.account, _LOW, ""), int(2 * left <= LOW_DAYS * DAY)
            yield Found(what, "warning", step, 30 * MINUTE)

    def _rentals(self, sight: Sight) -> Iterator[Found]:
        """What no VM uses for a day; what is gone, and nobody deleted it by a command."""
        for rental in sight.rentals.values():
            if not rental.attached_to:
                what = What(sight.account, "idle_resource", key_of(rental))
                yield Found(what, "warning", hold=DAY)
        for key, count in self.missing.items():
            if count >= CONFIRM_POLLS:
                yield Found(What(sight.account, "vm_vanished", key), "critical")

    @staticmethod
    def _gpu(sight: Sight, gpu: GpuInstance) -> Iterator[Found]:
        """A reserve of less than two hours; a container that does not run; an end of the last day."""
        key = gpu_key(gpu)
        if gpu.state is GpuState.ACTIVE:
            if gpu.reserved < 2 * gpu.price:
                step = int(gpu.reserved < gpu.price)
                what = What(sight.account, "gpu_reserve", key)
                yield Found(what, "critical", step, 10 * MINUTE)
            if not gpu.started:
                what = What(sight.account, "gpu_status", key, "not started")
                yield Found(what, "warning", hold=15 * MINUTE)
        elif sight.at - gpu.changed_at < timedelta(days=1):
            what = What(sight.account, "gpu_status", key, gpu.state.value.lower())
            yield Found(what, "warning", at_once=True, quiet=True)


def key_of(rental: Rental) -> str:
    """What a disk or an address is called in an alert."""
    return f"{_KINDS[rental.kind]}:{rental.uuid}"


def gpu_key(gpu: GpuInstance) -> str:
    """What a GPU instance is called in an alert."""
    return f"gpu_{gpu.kind}:{gpu.id}"
