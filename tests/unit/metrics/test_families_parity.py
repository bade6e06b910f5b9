"""Our page against what prometheus_client makes of the same rows."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import parse_labels
from prometheus_client.parser import text_string_to_metric_families as parse_text

from fluence_watch.metrics.account_families import ACCOUNT_FAMILIES, account_label
from fluence_watch.metrics.exposition import AccountView, Exposition, ExpositionFormat
from fluence_watch.metrics.families import VM_FAMILIES, vm_labels
from fluence_watch.model.billing import EPOCHS, METERED, EpochBilling
from fluence_watch.model.charge import VM
from fluence_watch.model.market import Market, Quote, offers_of
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import Port
from fluence_watch.model.vm import Datacenter, Status, Vm

_texts = st.text(alphabet=st.characters(exclude_categories=[]), max_size=300)
_amounts = st.none() | st.integers(-(10**12), 10**15).map(MicroUsdc)
_counts = st.none() | st.integers(0, 2**50)
_times = st.none() | st.datetimes(
    min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    timezones=st.just(UTC),
)
_ports = st.none() | st.lists(
    st.builds(lambda n: Port(n, n, "tcp"), st.integers(1, 9)), max_size=4, unique=True
).map(lambda ports: tuple(sorted(ports)))
_vms = st.builds(
    Vm,
    id=_texts.filter(bool),
    name=st.none() | _texts,
    status=st.sampled_from(Status),
    status_word=_texts,
    price=_amounts,
    reserved=_amounts,
    spent=_amounts,
    created_at=_times,
    next_billing_at=_times,
    datacenter=st.none() | st.builds(Datacenter, _texts, _texts, st.integers(0, 9), _counts),
    public_ip=st.none() | _texts,
    ports=_ports,
    os_image=st.none() | _texts,
    vcpus=_counts,
    memory_bytes=_counts,
    storage_bytes=_counts,
    plan=st.sampled_from([None, "small", "large"]),
)
_quotes = st.builds(
    Quote,
    st.just(VM),
    st.sampled_from(["small", "large"]),
    _texts,
    st.decimals(0, 10**15, allow_nan=False),
    st.none(),
    st.none(),
)


def _charged(vms: Mapping[str, Vm]) -> st.SearchStrategy[Mapping[str, MicroUsdc]]:
    amounts = st.integers(0, 10**15).map(MicroUsdc)
    return st.dictionaries(st.sampled_from([*vms, "gone"]), amounts, max_size=4)


@st.composite
def _views(draw: st.DrawFn) -> AccountView:
    vms = {vm.key: vm for vm in draw(st.lists(_vms, max_size=4))}
    expected = {key: draw(_ports) for key in vms}
    return AccountView(
        account="main",
        up=draw(st.booleans()),
        vms=vms,
        expected=expected,
        last_good_at=draw(_times),
        rejected=draw(_counts),
        billing=draw(st.sampled_from([EPOCHS, METERED, EpochBilling(timedelta(minutes=5))])),
        balance=draw(_amounts),
        funded_until=draw(_times),
        market=draw(st.none() | st.lists(_quotes, max_size=4).map(offers_of).map(Market)),
        charged=draw(st.none() | _charged(vms)),
    )


class _Rows:
    """The same tables, for prometheus_client's own registry."""

    def __init__(self, view: AccountView) -> None:
        self._view = view

    def collect(self) -> Iterable[Metric]:
        view, account = self._view, account_label(self._view)
        for family in ACCOUNT_FAMILIES:
            metric = _family(family.name, family.help)
            for labels, value in family.samples(view):
                metric.add_sample(family.name, parse_labels(f"{account},{labels}"), float(value))
            yield metric
        for per_vm in VM_FAMILIES:
            metric = _family(per_vm.name, per_vm.help)
            for series in per_vm.series:
                for vm in view.vms.values():
                    value = series.value(vm, view)
                    more = series.labels(vm, view) if series.labels else ""
                    if value is not None:
                        labels = parse_labels(f"{account},{vm_labels(vm)},{more}")
                        metric.add_sample(per_vm.name, labels, float(value))
            yield metric


def _family(name: str, text: str) -> Metric:
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    return kind(name, text)


def _comparable(families: Iterable[Metric]) -> set[tuple[object, ...]]:
    return {
        (f.name, f.documentation, f.type, frozenset(s.labels.items()), s.value)
        for f in families
        for s in f.samples
    }


def _page() -> Exposition:
    return Exposition(lambda chosen: b"# EOF\n" if chosen is ExpositionFormat.OPENMETRICS else b"")


@settings(deadline=None)
@given(_views())
def test_prometheus_client_says_the_same(view: AccountView) -> None:
    """Whatever a VM holds, both parsers read our page, and it is what the library would say."""
    page, registry = _page(), CollectorRegistry()
    page.publish(view)
    registry.register(_Rows(view))
    theirs = _comparable(parse_text(generate_latest(registry).decode()))
    openmetrics = page.scrape("application/openmetrics-text").body.decode()

    assert theirs == _comparable(parse_text(page.scrape().body.decode()))
    assert theirs == _comparable(parse_openmetrics(openmetrics))


@settings(deadline=None)
@given(st.lists(_views(), min_size=2, max_size=4), st.sampled_from([None, "gzip"]), st.data())
def test_a_page_that_was_changed_is_a_page_made_new(
    views: list[AccountView],
    asked: str | None,
    data: st.DataObject,
) -> None:
    """After any history of polls the page is, byte for byte, that of the last one alone."""
    changed = _page()
    for view in views:
        kept = data.draw(st.sampled_from([view, replace(view, vms=views[0].vms)]))
        changed.publish(kept)
        fresh = _page()
        fresh.publish(kept)

        assert fresh.scrape(None, asked) == changed.scrape(None, asked)
