from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from fluence_watch.model.billing import EPOCHS, HOURS, METERED, Billing
from fluence_watch.model.charge import VM
from fluence_watch.model.finding import Absence, Fingerprint, Impact, Severity, ref
from fluence_watch.model.known import KnownVm
from fluence_watch.model.market import GIB, Market, Quote, offers_of
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules import RULES, evaluate, needs
from fluence_watch.rules.base import Judgement, Need
from fluence_watch.rules.overpriced import NAME, RULE, Overpriced, OverpricedSettings, judge
from fluence_watch.rules.situation import Situation

See = Callable[..., Situation]

PARIS, WARSAW, CLUSTER = "FR-PAR-1", "PL-WAW-1", "00000000-0000-4000-8000-000000000001"
PLAN, GB, USDC = "cpu-2-ram-4gb", 10**9, 1_000_000
SETTINGS = OverpricedSettings(enabled=True)
ELSEWHERE = OverpricedSettings(enabled=True, elsewhere=True)
OF_VM = Fingerprint("main", NAME, "0x00ab")
DISK = Resource(
    Kind.DISK, "D", "data", "ready", MicroUsdc(100_000), size_bytes=1_000 * GB, location=CLUSTER, plan="SSD"
)  # fmt: skip
ADDRESS = Resource(
    Kind.PUBLIC_IP, "A", None, "ready", MicroUsdc(100_000), location=CLUSTER, plan="V4"
)
GPU = Resource(
    Kind.GPU_VM, "G", "train", "ACTIVE", MicroUsdc(1_220_000), location="US", plan="1 x a100"
)


@pytest.fixture
def vm(web: Vm) -> Vm:
    """A VM of 1 USDC an epoch in Paris."""
    return replace(web, price=MicroUsdc(USDC), plan=PLAN, storage_bytes=25 * GIB)


def quote(per_day: Decimal | int, place: str = PARIS, kind: str = VM, plan: str = PLAN) -> Quote:
    return Quote(kind, plan, place, Decimal(per_day))


def asking(*quotes: Quote, unknown: Mapping[str, str] | None = None) -> Market:
    return Market(offers_of(quotes), {CLUSTER: PARIS}, unknown or {})


def judged(
    see: See,
    market: Market | None,
    *things: Vm | Resource,
    settings: OverpricedSettings = SETTINGS,
    billing: Billing = EPOCHS,
    alerts: tuple[Fingerprint, ...] = (),
    unknown: Mapping[str, str] | None = None,
) -> Judgement:
    vms = [each for each in things if isinstance(each, Vm)]
    resources = [each for each in things if isinstance(each, Resource)]
    listed = {"market": market, "resources": resources, "unknown": unknown or {}}
    return judge(see(*vms, billing=billing, listed=listed, alerts=alerts), settings)


def settings(**changes: object) -> OverpricedSettings:
    return OverpricedSettings.model_validate({"enabled": True, **changes})


def test_it_is_off_by_default() -> None:
    """And only what is enabled lets the market be asked."""
    defaults = {rule.name: rule.settings() for rule in RULES}
    assert not OverpricedSettings().enabled
    assert Need.MARKET not in needs(defaults)
    assert Need.MARKET in needs(defaults | {NAME: SETTINGS})
    assert (Severity.INFO, timedelta(0), Impact.COST) == (
        SETTINGS.severity,
        SETTINGS.hold,
        RULE.impact,
    )


@pytest.mark.parametrize(
    ("asked", "changes", "found"),
    [
        (909_090, {"min_usdc": 0}, True),
        (909_091, {"min_usdc": 0}, False),
        (909_091, {"min_usdc": 0, "min_percent": "9.99"}, True),
        (800_000, {"min_percent": 25, "min_usdc": 0}, False),
        (799_999, {"min_percent": 25, "min_usdc": 0}, True),
        (999_999, {"min_percent": 0, "min_usdc": 0}, True),
        (1_000_000, {"min_percent": 0, "min_usdc": 0}, False),
        (1_000_001, {"min_percent": 0, "min_usdc": 0}, False),
        (0, {"min_percent": 1000, "min_usdc": 30}, True),
        (0, {"min_usdc": "30.000001"}, False),
        (800_000, {"min_usdc": 6}, True),
        (800_000, {"min_usdc": "6.000001"}, False),
        (800_001, {"min_usdc": 6}, False),
        (900_000, {"min_usdc": "0.000001"}, True),
    ],
)
def test_bounds(see: See, vm: Vm, asked: int, changes: dict[str, object], found: bool) -> None:  # noqa: FBT001 - a column
    """More than so many percent above the market, and a saving of at least so much in 30 days."""
    judgement = judged(see, asking(quote(asked)), vm, settings=settings(**changes))
    assert found is bool(judgement.findings)
    assert (frozenset(), frozenset()) == (judgement.unknown, judgement.gone)


def test_little_money(see: See, vm: Vm) -> None:
    """A cheap thing that is twice as dear is no news: it saves less than 1 USDC in 30 days."""
    little = replace(vm, price=MicroUsdc(66_666))
    assert not judged(see, asking(quote(33_333)), little).findings
    assert judged(see, asking(quote(33_332)), replace(vm, price=MicroUsdc(66_666))).findings


@pytest.mark.parametrize(
    ("quotes", "here", "anywhere"),
    [
        ([(500_000, PARIS)], (500_000, PARIS, False), (500_000, PARIS, False)),
        ([(500_000, WARSAW)], None, (500_000, WARSAW, True)),
        ([(990_000, PARIS), (500_000, WARSAW)], None, (500_000, WARSAW, True)),
        ([(600_000, PARIS), (500_000, WARSAW)], (600_000, PARIS, False), (500_000, WARSAW, True)),
        ([(500_000, PARIS), (600_000, WARSAW)], (500_000, PARIS, False), (500_000, PARIS, False)),
        ([(500_000, PARIS), (500_000, WARSAW)], (500_000, PARIS, False), (500_000, PARIS, False)),
        ([(990_000, PARIS), (990_000, WARSAW)], None, None),
    ],
)
def test_places(
    see: See,
    vm: Vm,
    quotes: list[tuple[int, str]],
    here: tuple[int, str, bool] | None,
    anywhere: tuple[int, str, bool] | None,
) -> None:
    """Those elsewhere count only if that is wanted; the same price at its own place goes before."""
    market = asking(*(quote(*each) for each in quotes))
    for wanted, expected in ((SETTINGS, here), (ELSEWHERE, anywhere)):
        found = [
            (each.facts.asked, each.facts.place, each.facts.is_elsewhere)
            for each in judged(see, market, vm, settings=wanted).findings
        ]
        assert ([expected] if expected else []) == found


def test_what_is_told(see: See, vm: Vm) -> None:
    """Who it is, both prices of a day, where, and what that saves in 30 days."""
    (finding,) = judged(see, asking(quote(600_000)), vm).findings
    assert (OF_VM, Severity.INFO) == (finding.fingerprint, finding.severity)
    per_day, asked, saving = MicroUsdc(USDC), MicroUsdc(600_000), MicroUsdc(12 * USDC)
    assert Overpriced(ref(vm), None, per_day, asked, PARIS, False, saving) == finding.facts  # noqa: FBT003 - facts as they are


@pytest.mark.parametrize("billing", [EPOCHS, METERED])
def test_vms_of_either_billing(see: See, vm: Vm, billing: Billing) -> None:
    """The price of an hour is compared for a day, and so are those of resources beside it."""
    price = USDC // (24 if billing is METERED else 1)
    market = asking(quote(500_000))
    (finding,) = judged(see, market, replace(vm, price=MicroUsdc(price)), billing=billing).findings
    assert (finding.facts.per_day, finding.facts.asked) == (
        price * (24 if billing is METERED else 1),
        500_000,
    )


@pytest.mark.parametrize(
    ("thing", "asked", "per_day", "place"),
    [
        (DISK, quote(1_000, kind="disk", plan="SSD"), 2_400_000, PARIS),
        (ADDRESS, quote(USDC, kind="public_ip", plan="V4"), 2_400_000, PARIS),
        (GPU, quote(20 * USDC, "US", "gpu_vm", "1 x a100"), 29_280_000, "US"),
    ],
    ids=lambda value: value.kind if isinstance(value, Resource) else "",
)
@pytest.mark.parametrize("billing", [EPOCHS, HOURS, METERED])
def test_resources(
    see: See, thing: Resource, asked: Quote, per_day: int, place: str, billing: Billing
) -> None:
    """Each is paid in its own way, whatever that of VMs."""
    (finding,) = judged(see, asking(asked), thing, billing=billing).findings
    facts = finding.facts
    assert Fingerprint("main", NAME, thing.key) == finding.fingerprint
    assert (None, thing.ref, per_day, place) == (
        facts.vm,
        facts.resource,
        facts.per_day,
        facts.place,
    )
    assert 30 * (per_day - facts.asked) == facts.saving


OF_DISK = Fingerprint("main", NAME, DISK.key)
OF_GPU = Fingerprint("main", NAME, GPU.key)
ALL = (OF_VM, OF_DISK, OF_GPU)
EVERYTHING = frozenset(each.subject for each in ALL)


def test_an_unknown_market(see: See, vm: Vm) -> None:
    """What was reported stays so."""
    assert Judgement(unknown=EVERYTHING) == judged(see, None, vm, DISK, alerts=ALL)
    other = Fingerprint("main", "idle_resource", DISK.key)
    assert Judgement() == judged(see, None, vm, DISK, alerts=(other,))


def test_after_a_failed_poll(see: See) -> None:
    """Nothing is over, nor gone."""
    failed = replace(see(alerts=[OF_VM]), snapshot=None)
    assert Judgement(unknown=frozenset({OF_VM.subject})) == judge(failed, SETTINGS)


FULL = (
    quote(990_000),
    quote(2_390, kind="disk", plan="SSD"),
    quote(29 * USDC, "US", "gpu_vm", "1 x a100"),
)


@pytest.mark.parametrize(
    ("missing", "kind", "subject"),
    [
        ("VM prices", VM, OF_VM.subject),
        ("disk prices", "disk", OF_DISK.subject),
        ("GPU VM prices", "gpu_vm", OF_GPU.subject),
    ],
)
def test_a_list_that_is_unknown(see: See, vm: Vm, missing: str, kind: str, subject: str) -> None:
    """What it would be compared with is unknown; the rest is compared, and may be over."""
    market = asking(*(each for each in FULL if each.kind != kind), unknown={missing: "403"})
    judgement = judged(see, market, vm, DISK, GPU, alerts=ALL)
    assert Judgement([], frozenset({subject})) == judgement


def test_a_list_that_is_known_in_part(see: See, vm: Vm) -> None:
    """What can be compared is."""
    market = asking(*FULL, unknown={"VM prices": "[3].price: odd"})
    assert Judgement([]) == judged(see, market, vm, DISK, GPU, alerts=ALL)
    cheap = asking(quote(500_000), unknown={"VM prices": "[3].price: odd"})
    assert judged(see, cheap, vm).findings


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({"price": None}, False),
        ({"plan": None}, False),
        ({"datacenter": None}, False),
        ({"plan": "cpu-9-ram-9gb"}, True),
        ({"status": Status.TERMINATED}, True),
        ({"status": Status.TERMINATED, "price": None}, True),
    ],
    ids=str,
)
def test_a_vm_that_cannot_be_compared(
    see: See,
    vm: Vm,
    changes: dict[str, object],
    gone: bool,  # noqa: FBT001 - a column
) -> None:
    """Its alert waits while something of it is unknown; what nobody offers is nobody's concern."""
    ours = frozenset({OF_VM.subject})
    judgement = judged(see, asking(*FULL), replace(vm, **changes), alerts=(OF_VM,))
    assert Judgement([], frozenset(), ours) == judgement if gone else Judgement([], ours)


def test_what_its_place_no_longer_offers(see: See, vm: Vm) -> None:
    """It has not become cheaper, so nobody is told that it is no longer dear."""
    market = asking(quote(500_000, WARSAW))
    gone = Judgement([], gone=frozenset({OF_VM.subject}))
    assert gone == judged(see, market, vm, alerts=(OF_VM,))
    assert judged(see, market, vm, alerts=(OF_VM,), settings=ELSEWHERE).findings


def test_resources_that_are_gone(see: See) -> None:
    """Those of a list that is complete; of another they may be there."""
    market, alerts = asking(*FULL), (OF_DISK, OF_GPU)
    gone = judged(see, market, alerts=alerts)
    assert Judgement([], gone=frozenset({DISK.key, GPU.key})) == gone
    part = judged(see, market, alerts=alerts, unknown={"disks": "403"})
    assert Judgement([], frozenset({DISK.key}), frozenset({GPU.key})) == part
    ended = judged(see, market, replace(GPU, status_word="ENDED"), DISK, alerts=alerts)
    assert Judgement([], gone=frozenset({GPU.key})) == ended


@pytest.mark.parametrize(("polls", "absence"), [(1, Absence.UNKNOWN), (2, Absence.GONE)])
def test_a_vm_that_is_missing(see: See, vm: Vm, polls: int, absence: Absence) -> None:
    """Its alert waits until it has vanished for certain."""
    at = see().now
    lost = KnownVm(vm, at, missing_polls=polls, missing_since=at, missing_among=1)
    situation = see(known={vm.key: lost}, listed={"market": asking(*FULL)}, alerts=[OF_VM])
    rules = {rule.name: rule.settings() for rule in RULES} | {NAME: SETTINGS}
    assert absence is evaluate(situation, rules).absence(OF_VM)
