"""Negotiates the exposition format and compression. Source: RFC 9110, 12.5."""

from collections.abc import Iterator
from enum import StrEnum


class ExpositionFormat(StrEnum):
    """An exposition format and its content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def negotiate(accept: str | None, accept_encoding: str | None) -> tuple[ExpositionFormat, bool]:
    """The format for the two headers, and whether to compress with gzip.

    OpenMetrics is chosen only if the client names it and ranks it at least as high as text.
    """
    text = openmetrics = 0.0
    for name, parameters, weight in _preferences(accept):
        version = parameters.get("version")
        if name == "application/openmetrics-text" and version in {None, "1.0.0"}:
            openmetrics = max(openmetrics, weight)
        elif name in {"text/plain", "text/*", "*/*"} and version in {None, "0.0.4"}:
            text = max(text, weight)
    chosen = (
        ExpositionFormat.OPENMETRICS
        if openmetrics and openmetrics >= text
        else ExpositionFormat.TEXT
    )
    return chosen, _takes_gzip(accept_encoding)


def _takes_gzip(accept_encoding: str | None) -> bool:
    weights = {name: weight for name, _, weight in _preferences(accept_encoding)}
    wildcard = weights.get("*", 0.0)
    return weights.get("gzip", weights.get("x-gzip", wildcard)) > 0


def _preferences(header: str | None) -> Iterator[tuple[str, dict[str, str], float]]:
    """Each element of a header with its parameters and weight. An invalid weight is 0."""
    for element in (header or "").lower().split(","):
        name, *rest = (part.strip() for part in element.split(";"))
        pairs = (part.partition("=") for part in rest)
        parameters = {key.strip(): value.strip(' "') for key, _, value in pairs}
        if name:
            yield name, parameters, _weight(parameters.pop("q", "1"))


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
