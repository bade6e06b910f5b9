"""Panels with what each must have: title, description, unit, size and queries."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, Self, TypeVar

from grafana_foundation_sdk.builders.bargauge import Panel as BarGauge
from grafana_foundation_sdk.builders.common import (
    ReduceDataOptions,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery as AnyQuery
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.dashboard import Panel as PanelModel
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

AnyPanel = Builder[PanelModel]

DATASOURCE = DataSourceRef("prometheus", "${datasource}")

USDC = "suffix:USDC"
EPOCHS = "suffix:epochs"
SECONDS = "s"
COUNT = "short"
DATE = "dateTimeAsIso"
"""Of milliseconds."""
FROM_NOW = "dateTimeFromNow"
"""Of milliseconds."""

Steps = Sequence[tuple[float | None, str]]
"""Thresholds: from which value on which colour; the first has no value."""

PLAIN: Steps = ((None, "text"),)
BAD_ABOVE_ZERO: Steps = ((None, "green"), (1, "red"))
DAYS_LEFT: Steps = ((None, "red"), (86_400, "orange"), (3 * 86_400, "green"))

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Described(Protocol):
    """What the builders of all kinds of panels have in common."""

    def title(self, title: str) -> Self: ...  # noqa: D102 - as in the library
    def description(self, description: str) -> Self: ...  # noqa: D102
    def unit(self, unit: str) -> Self: ...  # noqa: D102
    def span(self, w: int) -> Self: ...  # noqa: D102
    def height(self, h: int) -> Self: ...  # noqa: D102
    def datasource(self, datasource: DataSourceRef) -> Self: ...  # noqa: D102
    def targets(self, targets: list[Builder[AnyQuery]]) -> Self: ...  # noqa: D102


P = TypeVar("P", bound=Described)


def described(panel: P, title: str, description: str, unit: str, size: tuple[int, int]) -> P:
    """The panel with what each must have; `size` is width and height in cells of the grid."""
    width, height = size
    panel.title(title).description(description).unit(unit).datasource(DATASOURCE)
    return panel.span(width).height(height)


def asking(panel: P, queries: Iterable[Dataquery]) -> P:
    """The panel with its queries, lettered in order."""
    lettered: list[Builder[AnyQuery]] = [
        query.ref_id(letter).datasource(DATASOURCE)
        for letter, query in zip(_LETTERS, queries, strict=False)
    ]
    return panel.targets(lettered)


def over_time(expression: str, legend: str) -> Dataquery:
    """A query that gives series over the range."""
    return Dataquery().expr(expression).legend_format(legend).range()


def now(expression: str, legend: str = "") -> Dataquery:
    """A query that is asked once, at the end of the range."""
    return Dataquery().expr(expression).legend_format(legend).instant()


def rows(expression: str) -> Dataquery:
    """A query that is asked once, for a table."""
    return Dataquery().expr(expression).format(PromQueryFormat.TABLE).instant()


def thresholds(steps: Steps) -> ThresholdsConfig:
    """The thresholds, absolute."""
    each = [Threshold(value, colour) for value, colour in steps]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(each)


def meaning(words: Mapping[int, str]) -> ValueMap:
    """The words that are shown for numbers."""
    return ValueMap({str(number): ValueMappingResult(text=word) for number, word in words.items()})


def stat(
    title: str,
    description: str,
    unit: str,
    query: str,
    *,
    steps: Steps = PLAIN,
    width: int = 4,
    name: str = "",
    words: Mapping[int, str] | None = None,
) -> Stat:
    """One number as it is now.

    With `name` the label of that name is shown instead of the number, with `words` what it means.
    """
    panel = described(Stat(), title, description, unit, (width, 4))
    asking(panel, [now(query, f"{{{{{name}}}}}" if name else "")])
    panel.reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
    panel.thresholds(thresholds(steps)).graph_mode(common.BigValueGraphMode.NONE)
    if words:
        panel.mappings([meaning(words)])
    return panel.text_mode(
        common.BigValueTextMode.NAME if name else common.BigValueTextMode.VALUE
    ).no_value("unknown")


def series(
    title: str,
    description: str,
    unit: str,
    *queries: Dataquery,
    width: int = 12,
    stacked: bool = False,
    steps: Steps = (),
) -> TimeSeries:
    """Series over time, with a table of the last values as legend."""
    panel = asking(described(TimeSeries(), title, description, unit, (width, 8)), queries)
    legend = VizLegendOptions().display_mode(common.LegendDisplayMode.TABLE).show_legend(True)
    legend.placement(common.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"])
    tooltip = VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    panel.legend(legend).tooltip(tooltip.sort(common.SortOrder.DESCENDING))
    if stacked:
        panel.stacking(StackingConfig().mode(common.StackingMode.NORMAL)).fill_opacity(30)
    if steps:
        panel.thresholds(thresholds(steps))
    return panel


def ranked(
    title: str, description: str, unit: str, query: Dataquery, *, steps: Steps, width: int = 8
) -> BarGauge:
    """Bars, one for each series of a query that ranks and limits them."""
    panel = asking(described(BarGauge(), title, description, unit, (width, 10)), [query])
    panel.reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
    panel.orientation(common.VizOrientation.HORIZONTAL).thresholds(thresholds(steps))
    return panel.display_mode(common.BarGaugeDisplayMode.BASIC)
