"""Loads libraries without the optional parts that the daemon does not use."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType


def load_lean() -> None:
    """Load the daemon's libraries without Click, Rich, Pygments, Trio and Greenlet: saves 0.2 s, 15 MB.

    The libraries import these if installed: for coloured tracebacks, for their own command lines,
    for another event loop, for green threads. They can still be imported later.
    """
    # Pydantic would search all installed packages for plugins: 20 ms.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    with _missing("bz2", "click", "greenlet", "lzma", "pygments", "rich", "trio", "twisted"):
        import zipfile  # noqa: F401, PLC0415 - for importlib.metadata, which reads no archives

        import httpcore  # noqa: F401, PLC0415 - httpx would load it with its first client
        import httpx  # noqa: F401, PLC0415 - it is loaded here for all
        import structlog  # noqa: F401, PLC0415
    if "uvicorn" not in sys.modules:
        _load_uvicorn()
    if "prometheus_client" not in sys.modules:
        _load_prometheus_client()
    if "sqlalchemy.dialects.sqlite" not in sys.modules:
        _load_sqlite()
    with _replaced({"html": _stand_in("html", ["escape"])}):  # of pages for debugging: saves 0.5 MB
        import_module("starlette.middleware.errors")


def _load_uvicorn() -> None:
    """Load it without its command line, which imports Click and multiprocessing: saves 2 MB."""
    stand_in = ModuleType("uvicorn.main")
    stand_in.main = stand_in.run = None  # type: ignore[attr-defined]
    stand_in.__getattr__ = lambda name: getattr(import_module("uvicorn.server"), name)  # type: ignore[method-assign]
    sys.modules["uvicorn.main"] = stand_in
    try:
        import_module("uvicorn")
    finally:
        del sys.modules["uvicorn.main"]


def _load_prometheus_client() -> None:
    """Load it without the servers of the standard library, which it only subclasses: saves 1 MB."""
    servers = {
        "http.server": ("BaseHTTPRequestHandler",),
        "wsgiref.simple_server": ("WSGIRequestHandler", "WSGIServer", "make_server"),
    }
    with _replaced({name: _stand_in(name, classes) for name, classes in servers.items()}):
        import_module("prometheus_client")


def _load_sqlite() -> None:
    """Load the dialect without the drivers of others for it, and their asyncio: saves 0.2 MB."""
    package = "sqlalchemy.dialects.sqlite"
    drivers = (f"{package}.aiosqlite", f"{package}.pysqlcipher")
    with _replaced({name: ModuleType(name) for name in drivers}):
        import_module(package)


def _stand_in(name: str, classes: Iterable[str]) -> ModuleType:
    module = ModuleType(name)
    for each in classes:
        setattr(module, each, type(each, (), {}))
    return module


@contextmanager
def _replaced(modules: Mapping[str, ModuleType]) -> Iterator[None]:
    """Put these in the place of modules, unless they are already loaded."""
    absent = {name: module for name, module in modules.items() if name not in sys.modules}
    sys.modules.update(absent)
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


@contextmanager
def _missing(*names: str) -> Iterator[None]:
    """Make imports of these modules fail, unless they are already loaded."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None refuses an import
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
