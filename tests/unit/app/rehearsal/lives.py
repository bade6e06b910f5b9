"""Lives of accounts for laws: everything that rules look at, near the times at which they turn."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import EPOCHS, METERED
from fluence_watch.model.charge import Charge
from fluence_watch.model.market import Market, Quote, offers_of
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import SSH, port
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.snapshot import Outcome, PollFailure, Rejected, build_snapshot
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.vm import Datacenter, Status, Vm

NOW = datetime(2026, 4, 16, 21, 50, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
PRICE = MicroUsdc(298_160)
_AMOUNTS = [None, 0, 100, 150_000, PRICE, 2 * PRICE, 9 * PRICE]
_OFFSETS = [-20, -5, 1, 30, 59, 61, 120, 299, 359, 361, 700, 1439, 1500]  # minutes

any_amount = st.sampled_from(_AMOUNTS)
any_time = st.sampled_from(_OFFSETS).map(lambda minutes: NOW + minutes * MINUTE)
ids = st.sampled_from(["a1", "b2", "c3", "d4"])
statuses = st.sampled_from(
    [Status.ACTIVE, Status.ACTIVE, Status.ACTIVE, *(each for each in Status)]
)


def _vm(vm_id: str, status: Status, price: Any, **more: Any) -> Vm:  # noqa: ANN401 - amounts, None included
    return Vm(
        vm_id, f"vm-{vm_id}", status, status.value.upper(), price,
        created_at=NOW - 90 * HOUR, datacenter=Datacenter("FR", "PAR", 1), plan="cpu-2", **more,
    )  # fmt: skip


vms = st.builds(
    _vm,
    ids,
    statuses,
    st.sampled_from([None, 0, PRICE, PRICE, PRICE]),
    reserved=any_amount,
    spent=any_amount,
    next_billing_at=st.none() | any_time,
    public_ip=st.sampled_from([None, "203.0.113.1", "203.0.113.2"]),
    ports=st.sampled_from([None, (), (SSH,), (SSH, port(80))]),
)
disks = st.builds(
    Resource,
    st.sampled_from([Kind.DISK, Kind.PUBLIC_IP]),
    ids,
    st.just("thing"),
    st.sampled_from(["active", "removed"]),
    st.sampled_from([None, 0, 1000]),
    st.sampled_from([(), ("a1",)]),
)
gpus = st.builds(
    Resource,
    st.just(Kind.GPU_CONTAINER),
    ids,
    st.just("gpu"),
    st.sampled_from(["active", "ended"]),
    st.sampled_from([None, 1000]),
    reserved=st.sampled_from([None, 500, 1500, 3000]),
    spent=st.sampled_from([None, 5000]),
    next_billing_at=st.none() | any_time,
    changed_at=st.none() | any_time.map(lambda at: at - 24 * HOUR),
    created_at=st.none() | any_time,
    is_running=st.sampled_from([None, True, False]),
    gpu=st.just("H100"),
)
keys = st.lists(
    st.sampled_from(["one", "two"]).map(lambda name: SshKey(name, f"SHA256:{name}", "ssh-ed25519 AA")),
    unique=True,
).map(tuple)  # fmt: skip
markets = st.just(
    Market(offers_of([Quote("vm", "cpu-2", "FR-PAR-1", MicroUsdc(100_000))]))  # type: ignore[arg-type] # an int is exact
)
charges = st.lists(
    st.builds(
        Charge,
        st.sampled_from([(NOW - days * 24 * HOUR).date() for days in range(4)]),
        st.just("vm"),
        st.just(MicroUsdc(5_000_000)),
        st.just(24),  # type: ignore[arg-type] # an int is exact
        ids,
    ),
    max_size=3,
).map(tuple)
balances = st.none() | st.builds(
    AccountBalance,
    st.sampled_from([-6_000_000, -1, 0, 500_000, 3_000_000, 10**9]),
    st.sampled_from([None, 2, 9]),
)
rejected = st.builds(Rejected, st.just("[0]"), st.just("bad"), st.none() | ids)


def _listed(at: datetime, parts: dict[str, Any]) -> Outcome:
    return build_snapshot("main", at, **parts)


contents = st.fixed_dictionaries(
    {
        "vms": st.lists(vms, max_size=4, unique_by=lambda vm: vm.key),
        "rejected": st.just(()) | st.lists(rejected, max_size=1),
        "ssh_keys": st.none() | keys,
        "balance": balances,
        "billing": st.sampled_from([None, EPOCHS, EPOCHS, METERED]),
        "resources": st.lists(disks | gpus, max_size=3, unique_by=lambda each: each.key),
        "kinds": st.just(tuple(Kind)),
        "charges": st.none() | charges,
        "market": st.none() | markets,
        "unknown": st.sampled_from([{}, {}, {"disks": "no"}, {"balance": "no"}]),
    }
)
gaps = st.sampled_from([MINUTE, 5 * MINUTE, 17 * MINUTE, 50 * MINUTE, 3 * HOUR])
steps = st.tuples(
    st.none() | contents,  # a poll that fails, or what it lists
    st.lists(gaps, min_size=1, max_size=14),  # it is polled so often
)


def _live(parts: Sequence[tuple[dict[str, Any] | None, Sequence[timedelta]]]) -> list[Outcome]:
    outcomes, now = list[Outcome](), NOW
    for listed, times in parts:
        for gap in times:
            now += gap
            failure = PollFailure("main", now, "server_error", "503")
            outcomes.append(failure if listed is None else _listed(now, listed))
    return outcomes


lives = st.lists(steps, min_size=1, max_size=4).map(_live)
"""Polls in the order of time, most of which see what the one before saw."""
