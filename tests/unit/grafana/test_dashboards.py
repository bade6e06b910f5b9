"""The dashboards as they are committed: what the code makes, complete, and in order."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from grafana.source.board import STATUS_PAGE
from grafana.source.rendering import DASHBOARDS, render
from grafana.source.tables import VM_PAGE

FOLDER = Path(__file__).parents[3] / "grafana" / "dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
BUILT_IN = {"__range", "__range_s", "__rate_interval", "__url_time_range", "__data"}
WIDTH = 24

Json = Any


@pytest.fixture(params=DASHBOARDS)
def name(request: pytest.FixtureRequest) -> str:
    """Each dashboard in turn."""
    return str(request.param)


@pytest.fixture
def board(name: str) -> Json:
    return read(name)


def read(name: str) -> Json:
    """The dashboard as it is committed."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def panels(board: Json) -> list[Json]:
    """Its panels, without the headings of the rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def annotations(board: Json) -> list[Json]:
    """Its queries for annotations."""
    return board["annotations"].get("list", [])


def expressions(board: Json) -> list[str]:
    """All PromQL of panels and annotations."""
    asked = [target["expr"] for panel in panels(board) for target in panel["targets"]]
    return asked + [each["expr"] for each in annotations(board)]


def test_the_code_makes_what_is_committed(name: str) -> None:
    """After a change: `make dashboards`."""
    assert render(name) == (FOLDER / f"{name}.json").read_text(encoding="utf-8")


def test_nothing_else_is_there() -> None:
    """A dashboard that nobody makes any more is deleted."""
    assert set(DASHBOARDS) == {path.stem for path in FOLDER.iterdir()}


def test_ids_and_titles_are_unique(board: Json) -> None:
    """Also what panels refer to."""
    for key in ("id", "title"):
        values = [panel[key] for panel in board["panels"]]
        assert sorted(set(values)) == sorted(values)
    for panel in panels(board):
        letters = [target["refId"] for target in panel["targets"]]
        assert sorted(set(letters)) == letters


def test_dashboards_are_told_apart() -> None:
    """By uid and title; all are of one family by their tag, which links them."""
    boards = [read(name) for name in DASHBOARDS]
    for key in ("uid", "title"):
        assert len(boards) == len({board[key] for board in boards})
    assert [["fluence-watch"]] * len(boards) == [board["tags"] for board in boards]


def test_every_panel_is_complete(board: Json) -> None:
    """Title, description, unit, data source, thresholds by name of colour."""
    for panel in panels(board):
        defaults = panel["fieldConfig"]["defaults"]
        assert re.fullmatch(r"[A-Z].{30,}\.", panel["description"]), panel["title"]
        assert defaults["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        assert SOURCE == panel["datasource"]
        assert all(SOURCE == target["datasource"] for target in panel["targets"])
        colours = re.findall(r'"color": "([^"]+)"', json.dumps(panel))
        assert [] == [each for each in colours if each.startswith("#")]  # themes know names


def test_every_column_has_a_unit(board: Json) -> None:
    """Each number of a table is shown by an override of its own."""
    for panel in panels(board):
        if panel["type"] != "table":
            continue
        overrides = panel["fieldConfig"]["overrides"]
        units = {
            each["matcher"]["options"]
            for each in overrides
            if "unit" in {p["id"] for p in each["properties"]}
        }
        renamed = panel["transformations"][1]["options"]["renameByName"]
        numbers = {new for old, new in renamed.items() if old.startswith("Value")}
        assert numbers == units, panel["title"]
        assert len(numbers) == len(panel["targets"]), panel["title"]


def test_data_sources_are_chosen_by_the_viewer(board: Json) -> None:
    """No data source is written down: neither in variables nor in annotations."""
    variables = {each["name"]: each for each in board["templating"]["list"]}
    assert "datasource" == variables["datasource"]["type"]
    assert "prometheus" == variables["datasource"]["query"]
    asking = [each for each in variables.values() if each["type"] == "query"]
    assert [SOURCE] * len(asking) == [each["datasource"] for each in asking]
    assert all(SOURCE == each["datasource"] for each in annotations(board))


def test_every_variable_is_used_and_known(board: Json) -> None:
    """In a query, a link, or by another variable."""
    variables = board["templating"]["list"]
    used = set(re.findall(r"\$\{?(\w+)", json.dumps([board["panels"], board["links"]])))
    used |= set(re.findall(r"\$\{?(\w+)", " ".join(expressions(board))))
    used |= {
        each
        for variable in variables
        for each in re.findall(r"\$\{?([a-z]\w*)", json.dumps(variable["query"]))
    }
    names = {variable["name"] for variable in variables}

    assert names == used & names
    assert set() == used - names - BUILT_IN


def test_rates_follow_the_scrape_interval(board: Json) -> None:
    """`$__rate_interval` for rates; a sum over the whole range, or over a day, may say so."""
    for expression in expressions(board):
        for function, window in re.findall(
            r"\b(i?rate|increase)\([^\[\]]*\[([^\]]+)\]", expression
        ):
            allowed = {"$__rate_interval"} | (
                {"$__range", "1d"} if function == "increase" else set()
            )
            assert window in allowed, expression


def test_who_needs_recording_rules_says_so(board: Json) -> None:
    """Without them the panel is empty."""
    for panel in panels(board):
        needs = any("fluence:" in target["expr"] for target in panel["targets"])
        assert needs == ("Needs the recording rules" in panel["description"]), panel["title"]


def test_panels_do_not_overlap(board: Json) -> None:
    """Each has its place on the grid."""
    places = [panel["gridPos"] for panel in board["panels"]]
    assert all(place["x"] + place["w"] <= WIDTH for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above


def test_they_link_to_each_other_and_to_the_status_page(board: Json) -> None:
    """With the variables and the range kept."""
    others, page = board["links"]
    assert ("dashboards", board["tags"]) == (others["type"], others["tags"])
    assert (True, True) == (others["includeVars"], others["keepTime"])
    assert "${status_page}" == page["url"]
    variables = {each["name"]: each for each in board["templating"]["list"]}
    assert STATUS_PAGE == variables["status_page"]["query"]


def test_a_row_leads_to_its_vm() -> None:
    """The link in tables points to a dashboard and to variables that are there."""
    target = read("vm")
    variables = {each["name"] for each in target["templating"]["list"]}

    assert VM_PAGE.startswith(f"/d/{target['uid']}?")
    assert {"account", "vm"} == set(re.findall(r"var-(\w+)=", VM_PAGE))
    assert {"account", "vm"} <= variables
    for name in DASHBOARDS:
        for panel in panels(read(name)):
            if VM_PAGE in json.dumps(panel).replace('\\"', '"'):
                headings = panel["transformations"][1]["options"]["renameByName"].values()
                assert {"Account", "VM id", "VM"} <= set(headings)
