import pytest

from fluence_watch.metrics.exposition import ExpositionFormat, negotiate

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, ExpositionFormat.TEXT),
        ("", ExpositionFormat.TEXT),
        ("*/*", ExpositionFormat.TEXT),
        (BROWSER, ExpositionFormat.TEXT),
        (PROMETHEUS_2, ExpositionFormat.OPENMETRICS),
        (PROMETHEUS_3, ExpositionFormat.OPENMETRICS),
        ("application/openmetrics-text", ExpositionFormat.OPENMETRICS),
        ('Application/OpenMetrics-Text; version="1.0.0"', ExpositionFormat.OPENMETRICS),
        ("application/openmetrics-text;version=0.0.1", ExpositionFormat.TEXT),
        ("application/openmetrics-text;version=2.0.0", ExpositionFormat.TEXT),
        ("application/openmetrics-text;q=0", ExpositionFormat.TEXT),
        ("application/openmetrics-text;q=nan", ExpositionFormat.TEXT),
        ("application/openmetrics-text;q=0.2,text/plain", ExpositionFormat.TEXT),
        (
            "application/openmetrics-text;version=1.0.0;q=0.1,text/*;q=0.1",
            ExpositionFormat.OPENMETRICS,
        ),
    ],
)
def test_format(accept: str | None, expected: ExpositionFormat) -> None:
    """OpenMetrics is for those who name it; anybody else gets text."""
    assert expected == negotiate(accept, None)[0]


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("x-gzip", True),
        ("deflate, GZIP;q=0.5, br", True),
        ("*", True),
        ("gzip;q=0", False),
        ("*;q=1, gzip;q=0", False),
        ("identity", False),
        ("gzip;q=much", False),
    ],
)
def test_compression(accept_encoding: str | None, *, expected: bool) -> None:
    """Gzip is for those who accept it."""
    assert expected is negotiate(None, accept_encoding)[1]
