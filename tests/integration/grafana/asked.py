"""The queries that dashboards and rules ask, read from the files that are shipped."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

FOLDER = Path(__file__).parents[3] / "grafana"
_LISTS = r"\b(by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)"
_KEYWORDS = {"and", "or", "unless", "offset", "bool", "by", "on", "without", "ignoring"}
_KEYWORDS |= {"group_left", "group_right"}


class Query(NamedTuple):
    """A query of a panel or an annotation.

    `columns` are the labels that a table shows; `legend` those in the names of series.
    """

    board: str
    title: str
    letter: str
    text: str
    description: str
    instant: bool
    columns: frozenset[str] | None
    legend: frozenset[str]

    def __str__(self) -> str:
        return f"{self.board}: {self.title} {self.letter}".strip()


def boards() -> Iterator[tuple[str, Any]]:
    """The dashboards by name."""
    for path in sorted((FOLDER / "dashboards").glob("*.json")):
        yield path.stem, json.loads(path.read_text(encoding="utf-8"))


def queries() -> Iterator[Query]:
    """Those of all panels and annotations."""
    for name, board in boards():
        for panel in board["panels"]:
            yield from _of_panel(name, panel)
        for each in board["annotations"].get("list", ()):
            yield Query(
                name,
                each["name"],
                "",
                each["expr"],
                "",
                instant=False,
                columns=None,
                legend=frozenset(),
            )


def _of_panel(name: str, panel: Mapping[str, Any]) -> Iterator[Query]:
    columns = None
    if panel["type"] == "table":
        renamed = panel["transformations"][1]["options"]["renameByName"]
        columns = frozenset(each for each in renamed if not each.startswith("Value"))
    for target in panel.get("targets", ()):
        legend = frozenset(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
        yield Query(
            name,
            panel["title"],
            target["refId"],
            target["expr"],
            panel["description"],
            target.get("instant", False),
            columns,
            legend,
        )


def rules() -> Iterator[tuple[str, str]]:
    """The name and the expression of each rule for Prometheus."""
    for path in sorted((FOLDER / "prometheus" / "rules").glob("*.yaml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                yield rule.get("alert") or rule["record"], rule["expr"]


def filled(text: str, **chosen: str) -> str:
    """The query as Grafana sends it for a range of 15 seconds; what is not chosen is *All*."""
    values = {
        "__rate_interval": "5s",
        "__range_s": "15",
        "__range": "15s",
        "account": ".*",
        "datacenter": ".*",
        "vm": ".*",
    } | chosen
    return re.sub(r"\$(\w+)", lambda found: values.get(found[1], found[0]), text)


def metrics(text: str) -> set[str]:
    """The metrics that a query names."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", re.sub(_LISTS, " ", bare))
    bare = re.sub(r"\boffset\s+\S+|#.*", " ", bare)
    names = re.findall(r"(?<![\w.$])([a-zA-Z_:][\w:]*)(?!\s*\(|[\w:])", bare)
    return set(names) - _KEYWORDS


def labels(text: str) -> set[str]:
    """The labels that a query names: in matchers, and in lists to group or join by."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    named = {
        label
        for matchers in re.findall(r"\{([^}]*)\}", bare)
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)
    }
    listed = (label for _, each in re.findall(_LISTS, bare) for label in each.split(","))
    return named | {label.strip() for label in listed} - {""}
