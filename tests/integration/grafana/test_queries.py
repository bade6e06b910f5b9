"""Every query of every dashboard and rule is asked of a real Prometheus, and answers with data."""

import math
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.grafana.asked import Query, boards, filled, labels, metrics, queries, rules

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("grafana")]

QUERIES = list(queries())
RULES = dict(rules())
MANY = 100  # series that a panel can show

BY_HOUR = {
    "Funded for A": "there are no reserves",
    "Funded for over time A": "there are no reserves",
    "Reserve and price A": "there are no reserves",
    "Spent so far A": "the API does not tell what was spent",
    "Charges": "nothing was charged: the boundary of its hour has not come",
}
"""What is empty on the dashboard VM for a VM of the dialect cloud, and why."""

CALM = {
    "FluenceWatchDown": "fluence-watch runs",
    "FluenceWatchAbsent": "fluence-watch is scraped",
    "FluenceWatchStale": "polls go on",
    "FluenceWatchOutboxAges": "no message has waited for 15 minutes",
    "FluenceWatchStoreDown": "the store works",
    "FluenceWatchConfigRejected": "the configuration is good",
    "FluenceWatchInternalErrors": "there are none",
    "FluenceVmUnreadable": "all VMs can be read",
}
"""Rules that find nothing here, and why; that they do fire is tested with promtool."""

ABSENT = {
    "fluence_watch_heartbeat_last_success_timestamp_seconds": "an account is locked: no cycle is whole",
}
"""Metrics that have no value here, and why."""

UNUSED = {
    "fluence_watch_record_failures": "the log says why polls are not recorded; nothing depends on it",
    "fluence_watch_silences": "the panel of alerts shows how many are silenced",
    "python_gc_collections": "of interest to who works on fluence-watch alone",
    "python_gc_objects_collected": "of interest to who works on fluence-watch alone",
    "python_gc_objects_uncollectable": "of interest to who works on fluence-watch alone",
    "python_info": "fluence_watch_build_info has the version of Python too",
}
"""Metrics that no dashboard and no rule uses, and why."""


@pytest.fixture(scope="module")
def known(stack: Any) -> dict[str, set[str]]:  # noqa: ANN401 - see conftest.py
    """The labels of each metric that Prometheus has, recorded ones too."""
    found: dict[str, set[str]] = {}
    for series in stack.series('{__name__=~".+"}'):
        found.setdefault(series["__name__"], set()).update(series)
    return found


def answer(stack: Any, query: Query, **chosen: str) -> list[Any]:  # noqa: ANN401
    """The series that a panel shows: at the end of its range, or all along."""
    text, end = filled(query.text, **chosen), time.time()
    if query.instant:
        return list(stack.ask(text, at=end))
    return list(stack.ask_range(text, end - 15, end, 1))


def numbers(series: list[Any]) -> list[float]:
    """All values that are numbers."""
    pairs = [pair for one in series for pair in one.get("values") or [one["value"]]]
    return [float(value) for _, value in pairs if not math.isnan(float(value))]


def answered(ask: Callable[[], list[Any]]) -> list[Any]:
    """What is shown once there are numbers: a poll that fails on a busy machine shows none."""
    until = time.monotonic() + 60
    while not (found := ask()) and time.monotonic() < until:
        time.sleep(1)
    return found


def choice(stack: Any, query: Query) -> dict[str, str]:  # noqa: ANN401
    """What is chosen: everything, but a single VM where the dashboard shows one."""
    if query.board != "vm":
        return {}
    return {"account": "books", "vm": stack.books.world()["vms"][0]["id"]}


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_a_query_answers(stack: Any, query: Query) -> None:  # noqa: ANN401
    """With numbers, with the labels that the panel shows, and with no more series than it can show."""
    series = answered(lambda: answer(stack, query, **choice(stack, query)))
    present = [set(one["metric"]) - {"__name__"} for one in series]

    assert numbers(series)
    assert len(series) <= MANY
    assert all(query.legend <= each for each in present)
    if query.columns is not None:
        assert all(query.columns == each for each in present)


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_a_choice_is_heeded(stack: Any, query: Query) -> None:  # noqa: ANN401
    """One account and one datacenter chosen: nothing of another one is shown."""
    (there, *_) = answered(lambda: list(stack.ask('fluence_vm_info{account="by-epoch"}')))
    chosen = {"account": "by-epoch", "datacenter": there["metric"]["datacenter"]}
    if query.board == "vm":
        chosen["vm"] = there["metric"]["vm_id"]
    shown = [one["metric"] for one in answer(stack, query, **chosen)]

    # alerts about the watcher itself are shown too
    assert {"by-epoch", "fluence-watch"} >= {each["account"] for each in shown if "account" in each}
    assert {chosen["datacenter"]} >= {each["datacenter"] for each in shown if "datacenter" in each}


def test_what_the_dialect_cloud_leaves_empty(stack: Any) -> None:  # noqa: ANN401
    """On the dashboard of one VM, and the descriptions say so."""
    ids = sorted(one["metric"]["vm_id"] for one in stack.ask('fluence_vm_info{account="by-hour"}'))
    chosen = {"account": "by-hour", "vm": ids[0]}
    empty = [
        query
        for query in QUERIES
        if query.board == "vm" and not numbers(answer(stack, query, **chosen))
    ]

    assert set(BY_HOUR) == {f"{query.title} {query.letter}".strip() for query in empty}
    assert all("cloud" in query.description for query in empty if query.letter)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_answers(stack: Any, name: str) -> None:  # noqa: ANN401
    """With data where something is wrong; else it is named above."""
    series = stack.ask(RULES[name])

    assert bool(series) == (name not in CALM)


def test_rules_are_evaluated_without_errors(stack: Any) -> None:  # noqa: ANN401
    """Templates too; and some alerts fire."""
    evaluated = [rule for group in stack.rules() for rule in group["rules"]]

    assert {("ok", "")} == {(rule["health"], rule.get("lastError", "")) for rule in evaluated}
    assert set(RULES) == {rule["name"] for rule in evaluated}
    fires = {rule["name"] for rule in evaluated if rule.get("state") == "firing"}
    assert {"FluencePortDrift", "FluenceVmUnhealthy", "FluenceBillingDue"} <= fires
    texts = [
        text
        for rule in evaluated
        for alert in rule.get("alerts", ())
        for text in alert["annotations"].values()
    ]
    assert texts
    assert [] == [text for text in texts if re.search("<error|%!|<no value>|Inf|NaN", text)]


@pytest.mark.parametrize(
    ("name", "text"),
    [*((str(query), filled(query.text)) for query in QUERIES), *RULES.items()],
)
def test_metrics_and_labels_exist(known: dict[str, set[str]], name: str, text: str) -> None:
    """A query on what the exposition has not is a mistake, however quietly it answers."""
    named = metrics(text)

    assert named, name
    assert set() == named - known.keys() - ABSENT.keys()
    assert set() == labels(text) - set().union(*(known[metric] for metric in named - ABSENT.keys()))


@pytest.mark.parametrize(
    "board", [board for _, board in boards()], ids=[name for name, _ in boards()]
)
def test_variables_have_values(stack: Any, board: Any) -> None:  # noqa: ANN401
    """As Grafana asks for them."""
    for variable in board["templating"]["list"]:
        if variable["type"] != "query":
            continue
        function, inside = re.fullmatch(r"(\w+)\((.*)\)", variable["query"]["query"]).groups()
        if function == "label_values":
            selector, label = filled(inside).rsplit(", ", 1)
            assert any(one.get(label) for one in stack.series(selector))
        else:
            assert_vms_can_be_chosen(stack, filled(inside), variable["regex"])


def assert_vms_can_be_chosen(stack: Any, text: str, pattern: str) -> None:  # noqa: ANN401
    """Each by its id, shown by its name and the beginning of the id."""
    shown = {}
    for one in stack.ask(text):
        pairs = ",".join(f'{key}="{value}"' for key, value in one["metric"].items())
        found = re.search(pattern.strip("/").replace("(?<", "(?P<"), f"{{{pairs}}} 1")
        shown[found["value"]] = (found["text"], one["metric"])

    assert {one["metric"]["vm_id"] for one in stack.ask("fluence_vm_info")} == shown.keys()
    for vm_id, (name, metric) in shown.items():
        assert f"{metric['vm_name']} · {vm_id[:12]}" == name


def test_every_metric_is_used(stack: Any) -> None:  # noqa: ANN401
    """In a dashboard or a rule, or it is listed above with a reason."""
    page = stack.page()
    families = {family.name for family in text_string_to_metric_families(page)}
    used = set().union(*(metrics(query.text) for query in QUERIES), *map(metrics, RULES.values()))
    plain = {re.sub("_(total|bucket|info)$", "", name) for name in used}

    assert set(UNUSED) == families - plain - used
    assert all(UNUSED.values())
