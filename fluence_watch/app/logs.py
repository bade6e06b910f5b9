"""Logging with structlog for this package and its libraries: one line an event, on stderr."""

import logging
import sys
from typing import Any

import structlog
from stamina.instrumentation import set_on_retry_hooks
from structlog.typing import EventDict, Processor

from fluence_watch.app.retries import note_retry
from fluence_watch.model.text import inert
from fluence_watch.settings import LogSettings

_QUIET = ("httpx", "httpcore", "alembic", "uvicorn", "asyncio", "stamina")
_LONGEST = 500


def configure_logs(settings: LogSettings) -> None:
    """Send every log record through one chain. May be called again after a reload."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        make_inert,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(settings.format),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    # stamina's default hooks would count retries in prometheus_client's global registry
    set_on_retry_hooks([note_retry])
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def make_inert(_logger: Any, _method: str, event: EventDict) -> EventDict:  # noqa: ANN401 - structlog's signature
    """Make every text of the event inert, because it may contain a VM's name or an error body."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _traceback(value) if key == "exception" else inert(value, _LONGEST)
    return event


def _traceback(text: str) -> str:
    """The lines of a traceback, indented so that none looks like an event."""
    lines = text.splitlines()
    indents = (len(line) - len(line.lstrip(" ")) for line in lines)
    return "\n".join(
        "  " + " " * indent + inert(line, _LONGEST)
        for indent, line in zip(indents, lines, strict=True)
    )


def _renderer(form: str) -> Processor:
    terminal = sys.stderr.isatty()
    if form == "console" or (form == "auto" and terminal):
        return structlog.dev.ConsoleRenderer(colors=terminal)
    return structlog.processors.JSONRenderer(sort_keys=False)
