"""Tables: several queries by the same labels, joined into rows; every column with its unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders.common import TableFooterOptions, TableSortByFieldState
from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.models.common import TableColorTextCellOptions
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from grafana.source.panels import COUNT, Steps, asking, described, meaning, rows, thresholds

LABELS = {
    "vm_name": "VM",
    "account": "Account",
    "datacenter": "Datacenter",
    "vm_id": "VM id",
    "gpu_name": "GPU instance",
    "gpu_id": "Instance id",
    "gpu": "GPU",
    "kind": "Kind",
    "attached": "Used",
    "permission": "Permission",
    "public_ip": "Address",
    "os_image": "Image",
}
"""How columns of labels are called."""

VM_PAGE = (
    "/d/fluence-watch-vm?${datasource:queryparam}&var-account=${__data.fields.Account}"
    '&var-vm=${__data.fields["VM id"]}&${__url_time_range}'
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of numbers: its heading, query, unit, the colours of its text, and words for numbers."""

    heading: str
    query: str
    unit: str
    steps: Steps = ()
    words: Mapping[int, str] | None = None


def table(
    title: str,
    description: str,
    labels: Sequence[str],
    columns: Sequence[Column],
    *,
    width: int = 12,
    descending: bool = False,
) -> Table:
    """A table with these labels, then these columns; sorted by the first column of numbers.

    The queries give series with exactly these labels, so that rows can be joined.
    """
    panel = asking(
        described(Table(), title, description, COUNT, (width, 10)),
        [rows(column.query) for column in columns],
    )
    panel.transformations(_joined(labels, columns))
    panel.footer(TableFooterOptions().enable_pagination(True).show(False).reducer([]))
    panel.sort_by([TableSortByFieldState().display_name(columns[0].heading).desc(descending)])
    for column in columns:
        panel.override_by_name(column.heading, _properties(column))
    if "vm_id" in labels:
        link = {"title": "This VM", "url": VM_PAGE}
        panel.override_by_name("VM", [DynamicConfigValue("links", [link])])
    return panel


def _joined(labels: Sequence[str], columns: Sequence[Column]) -> list[DataTransformerConfig]:
    # a single query gives its column no letter
    values = [f"Value #{chr(65 + i)}" for i in range(len(columns))] if columns[1:] else ["Value"]
    order = {name: place for place, name in enumerate([*labels, *values])}
    names = {name: LABELS.get(name, name.capitalize()) for name in labels}
    names |= {value: column.heading for value, column in zip(values, columns, strict=True)}
    organize = {
        "excludeByName": {"Time": True},
        "indexByName": order,
        "renameByName": names,
    }
    return [
        DataTransformerConfig("merge", options={}),
        DataTransformerConfig("organize", options=organize),
    ]


def _properties(column: Column) -> list[DynamicConfigValue]:
    shown = [DynamicConfigValue("unit", column.unit)]
    if column.words:
        shown.append(DynamicConfigValue("mappings", [meaning(column.words)]))
    if not column.steps:
        return shown
    cell = TableColorTextCellOptions()
    steps = thresholds(column.steps).build()
    return [
        *shown,
        DynamicConfigValue("custom.cellOptions", cell),
        DynamicConfigValue("thresholds", steps),
    ]
