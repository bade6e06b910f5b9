"""Dashboards as the JSON that Grafana reads."""

from collections.abc import Callable, Mapping

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.source import accounts, fleet, vm, watcher

DASHBOARDS: Mapping[str, Callable[[], Dashboard]] = {
    "fleet": fleet.dashboard,
    "vm": vm.dashboard,
    "accounts": accounts.dashboard,
    "watcher": watcher.dashboard,
}
"""All dashboards by the name of their file."""


def render(name: str) -> str:
    """The JSON of a dashboard."""
    encoder = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False)
    return encoder.encode(DASHBOARDS[name]()) + "\n"
