"""A gauge whose series are replaced atomically: a scrape never sees half of them."""

from collections.abc import Iterable, Mapping
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily

Series = Mapping[tuple[str, ...], float]
"""Values by all labels except the first."""


class ReplacedGauge:
    """A gauge with one set of series per owner. The first label, if there is one, names the owner."""

    def __init__(
        self, name: str, text: str, labels: tuple[str, ...], *, registry: CollectorRegistry
    ) -> None:
        self._description = (name, text, labels)
        self._series: Mapping[str, Series] = {}
        self._lock = Lock()
        registry.register(self)

    def replace(self, owner: str, series: Series) -> None:
        """Replace the owner's series."""
        with self._lock:
            self._series = {**self._series, owner: dict(series)}

    def replace_all(self, series: Mapping[str, Series]) -> None:
        """Replace the series of all owners."""
        with self._lock:
            self._series = dict(series)

    def drop(self, owner: str) -> None:
        """Remove the owner's series."""
        with self._lock:
            self._series = {name: rows for name, rows in self._series.items() if name != owner}

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The current series, for the registry."""
        name, text, labels = self._description
        family = GaugeMetricFamily(name, text, labels=labels)
        for owner, series in self._series.items():
            for values, number in series.items():
                family.add_metric([owner, *values], number)
        return [family]
