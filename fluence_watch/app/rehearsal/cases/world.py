"""What the API would report of the accounts of a test, from poll to poll."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from fluence_watch.app.rehearsal.cases.table import (
    INCOMPLETE,
    Case,
    CaseChange,
    CaseFailure,
    CaseRented,
    CaseVm,
    Facts,
    RentedFacts,
)
from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import METERED, Billing, EpochBilling
from fluence_watch.model.duration import hour_of
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import SSH
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.snapshot import Outcome, PollFailure, Rejected, build_snapshot
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.vm import Datacenter, Vm, status_of
from fluence_watch.rules.base import Settings
from fluence_watch.settings import AccountSettings, WatchSettings

PRICE = MicroUsdc(1_000_000)
_RESERVED_EPOCHS = 100
_UNTIL_BOUNDARY = timedelta(hours=12)
_FIELDS: Mapping[str, str] = {"next_billing": "next_billing_at"}
_GIVEN = ("price", "reserved", "spent", "ports", "public_ip")
_LISTING = ("tops_up", "missing", "unreadable", "unknown")


@dataclass(slots=True)
class _Listed:
    """A VM as the API has it, and how it is listed."""

    vm: Vm
    account: str
    tops_up: bool = True
    missing: bool = False
    unreadable: bool = False
    unknown: tuple[str, ...] = ()

    def shown(self) -> Vm:
        """The VM without what the API does not report."""
        hidden: dict[str, Any] = {_FIELDS.get(name, name): None for name in self.unknown}
        return replace(self.vm, **hidden) if hidden else self.vm

    def rejected(self) -> Rejected:
        """The VM as an element of the list that cannot be read."""
        return Rejected(self.vm.id, "not readable", self.vm.id)

    def charge(self, epoch: timedelta, now: datetime) -> None:
        """Pay the boundaries that passed. A top-up fills the reserve to an epoch after each of them.

        What the reserve alone cannot pay is not charged: a test says what happens then.
        """
        vm, at = self.vm, self.vm.next_billing_at
        if at is None or at > now or not vm.is_billed:
            return
        price, reserved = vm.price or 0, vm.reserved or 0
        times = (now - at) // epoch + 1
        if price and not self.tops_up:
            times = min(times, max(reserved // price, 0))
        left = reserved - times * price
        self.vm = replace(
            vm,
            reserved=MicroUsdc(max(left, price) if self.tops_up else left),
            spent=MicroUsdc((vm.spent or 0) + times * price),
            next_billing_at=at + times * epoch,
        )


class World:
    """The accounts of a test; time goes forward only."""

    def __init__(self, case: Case, settings: WatchSettings) -> None:
        self._case = case
        self._accounts = {each.name: each for each in settings.accounts}
        self._first = case.account or settings.accounts[0].name
        self._changes = sorted(case.changes, key=lambda each: each.at)
        self._vms = {each.name: self._made(each) for each in case.vms}
        self._rented = {each.name: _rented(each, case) for each in case.rented}
        self._gone = {each.name for each in case.rented if each.missing}
        self._balances = {self._first: case.balance}
        self._keys = {self._first: case.keys}

    def outcome(self, account: str, now: datetime) -> Outcome:
        """The poll of an account."""
        self._pass(now)
        failures = [each for each in self._case.failures if self._holds(each, account, now)]
        for each in failures:
            if each.reason != INCOMPLETE:
                return PollFailure(account, now, each.reason, f"the API failed: {each.reason}")
        here = [each for each in self._vms.values() if each.account == account]
        listed = [each for each in here if not each.missing]
        balance = self._balances.get(account)
        return build_snapshot(
            account,
            now,
            [each.shown() for each in listed if not each.unreadable],
            [each.rejected() for each in listed if each.unreadable],
            billing=_billing(self._accounts[account]),
            balance=None if balance is None else AccountBalance(balance),
            ssh_keys=_keys(self._keys.get(account)),
            incomplete_because="a page is missing" if failures else None,
            resources=self._resources(account),
            kinds={each.kind for each in self._case.rented},
        )

    def _pass(self, now: datetime) -> None:
        while self._changes and self._case.start + self._changes[0].at <= now:
            change = self._changes.pop(0)
            self._charge(self._case.start + change.at)
            self._change(change)
        self._charge(now)

    def _charge(self, now: datetime) -> None:
        for each in self._vms.values():
            each.charge(self._accounts[each.account].epoch, now)

    def _change(self, change: CaseChange) -> None:
        account = change.account or self._first
        if change.balance is not None:
            self._balances[account] = change.balance
        if change.keys is not None:
            self._keys[account] = change.keys
        for name, facts in change.vms.items():
            self._tell(self._vms[name], facts)
        for name, rented in change.rented.items():
            self._rented[name] = _changed(self._rented[name], rented)
            if rented.missing is not None:
                (self._gone.add if rented.missing else self._gone.discard)(name)

    def _made(self, vm: CaseVm) -> _Listed:
        account, start = vm.account or self._first, self._case.start
        prepaid = _billing(self._accounts[account]).prepaid
        price = PRICE if vm.price is None else vm.price
        plain = Vm(
            vm.id or made_up_id(vm.name),
            vm.name,
            status_of("active"),
            "Active",
            price=price,
            reserved=MicroUsdc(_RESERVED_EPOCHS * price) if prepaid else None,
            spent=MicroUsdc(0) if prepaid else None,
            created_at=start - vm.created if isinstance(vm.created, timedelta) else vm.created,
            next_billing_at=start + _UNTIL_BOUNDARY if prepaid else None,
            ports=(SSH,),
            datacenter=_place("FR-PAR-1"),
        )
        listed = _Listed(plain, account)
        self._tell(listed, vm)
        return listed

    def _tell(self, listed: _Listed, facts: Facts) -> None:
        """Let the API have these facts."""
        vm = listed.vm
        changed = _given(facts, _GIVEN)
        listed.vm = replace(
            vm,
            **changed,
            name=facts.name or vm.name,
            status=status_of(facts.status) if facts.status else vm.status,
            status_word=facts.status or vm.status_word,
            datacenter=_place(facts.datacenter) if facts.datacenter else vm.datacenter,
            next_billing_at=self._moment(facts.next_billing) or vm.next_billing_at,
        )
        for name, value in _given(facts, _LISTING).items():
            setattr(listed, name, value)

    def _moment(self, at: timedelta | datetime | None) -> datetime | None:
        return self._case.start + at if isinstance(at, timedelta) else at

    def _holds(self, failure: CaseFailure, account: str, now: datetime) -> bool:
        begins = self._case.start + failure.at
        return failure.account in {None, account} and begins <= now < begins + failure.lasts

    def _resources(self, account: str) -> Iterator[Resource]:
        owners = {each.name: each.account or self._first for each in self._case.rented}
        for name, each in self._rented.items():
            if owners[name] == account and name not in self._gone:
                yield replace(each, attached_to=tuple(map(self._id, each.attached_to)))

    def _id(self, vm: str) -> str:
        return self._vms[vm].vm.key


def _changed(resource: Resource, facts: RentedFacts) -> Resource:
    given = _given(facts, ("price", "reserved", "attached_to"))
    return replace(resource, **given, status_word=facts.status or resource.status_word)


def _given(facts: Settings, names: Collection[str]) -> dict[str, Any]:
    """Those of these facts that are written."""
    values = {name: getattr(facts, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def made_up_id(name: str) -> str:
    """The id of a VM that has none in the file: always the same for a name."""
    return f"0x{sha256(name.encode()).hexdigest()[:40]}"


def _rented(rented: CaseRented, case: Case) -> Resource:
    is_gpu = rented.kind not in {Kind.DISK, Kind.PUBLIC_IP}
    return Resource(
        rented.kind,
        made_up_id(rented.name),
        rented.name,
        rented.status or "active",
        price=PRICE if rented.price is None else rented.price,
        attached_to=rented.attached_to or (),
        created_at=case.start - timedelta(days=30),
        reserved=rented.reserved,
        next_billing_at=hour_of(case.start) + timedelta(hours=1) if is_gpu else None,
    )


def _billing(account: AccountSettings) -> Billing:
    return METERED if account.dialect == "cloud" else EpochBilling(account.epoch)


def _keys(names: tuple[str, ...] | None) -> tuple[SshKey, ...] | None:
    if names is None:
        return None
    return tuple(
        SshKey(each, f"SHA256:{made_up_id(each)[2:]}", f"ssh-ed25519 {made_up_id(each)[2:]} {each}")
        for each in names
    )


def _place(name: str) -> Datacenter:
    country, city, index = name.split("-")
    return Datacenter(country, city, int(index))
