"""The section of *Fleet* about where the VMs stand, and how large they are."""

from grafana_foundation_sdk.builders.barchart import Panel as BarChart
from grafana_foundation_sdk.builders.common import FrameGeometrySource, MapLayerOptions
from grafana_foundation_sdk.builders.geomap import MapViewConfig
from grafana_foundation_sdk.builders.geomap import Panel as Geomap
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig

from grafana.source.panels import COUNT, USDC, AnyPanel, asking, described, over_time, rows, series
from grafana.source.queries import BURN, INFO, PLACES, placed
from grafana.source.tables import Column, table


def places() -> list[AnyPanel]:
    """The panels of that section."""
    return [
        _by_datacenter(),
        _on_the_map(),
        series(
            "VMs by status",
            "How many VMs have each status, in all chosen datacenters.",
            COUNT,
            over_time(f"sum by (status) ({PLACES})", "{{status}}"),
            stacked=True,
        ),
        table(
            "Datacenters",
            "What the chosen VMs of each datacenter have and cost a day; the 100 most expensive. A"
            " cell is empty where the API does not tell it.",
            ("datacenter",),
            [
                Column("Burn a day", _dearest(BURN), USDC),
                Column("VMs", _dearest(INFO), COUNT),
                Column("vCPUs", _dearest(placed("vcpus")), COUNT),
                Column("Memory", _dearest(placed("memory_bytes")), "bytes"),
                Column("Storage", _dearest(placed("storage_bytes")), "bytes"),
            ],
            descending=True,
        ).height(8),
    ]


def _dearest(expression: str) -> str:
    by = "sum by (datacenter)"
    return f"{by} ({expression}) and on (datacenter) topk(100, {by} ({BURN}))"


def _by_datacenter() -> BarChart:
    panel = described(
        BarChart(),
        "VMs by datacenter and status",
        "How many VMs stand where, and in which status; the 50 largest groups.",
        COUNT,
        (12, 10),
    )
    asking(panel, [rows(f"topk(50, sum by (datacenter, status) ({PLACES}))")])
    matrix = {"columnField": "status", "rowField": "datacenter", "valueField": "Value"}
    panel.with_transformation(DataTransformerConfig("groupingToMatrix", options=matrix))
    return panel.stacking(common.StackingMode.NORMAL).x_field("datacenter\\status")


def _on_the_map() -> Geomap:
    panel = described(
        Geomap(),
        "VMs by country",
        "How many VMs stand in each country. Those whose country is unknown are not on the map. The"
        " map itself is loaded by your browser from the internet.",
        COUNT,
        (12, 10),
    )
    asking(panel, [rows(f"sum by (country) ({PLACES})")])
    where = FrameGeometrySource().mode(common.FrameGeometrySourceMode.LOOKUP)
    where.lookup("country").gazetteer("public/gazetteer/countries.json")
    look = {
        "showLegend": False,
        "style": {
            "color": {"fixed": "blue"},
            "opacity": 0.6,
            "size": {"field": "Value", "fixed": 5, "max": 30, "min": 6},
            "symbol": {"fixed": "img/icons/marker/circle.svg", "mode": "fixed"},
            "text": {"field": "Value", "fixed": "", "mode": "field"},
        },
    }
    layer = MapLayerOptions().type("markers").name("VMs").location(where).config(look)
    panel.layers([layer.tooltip(True)]).basemap(MapLayerOptions().type("default").name("Map"))
    return panel.view(MapViewConfig().id("fit").zoom(3).all_layers(True))
