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
        for name in ("importlib.metadata", "importlib.resources.readers"):
            _load_without(name, {"csv": (), "zipfile": ()})  # no package is an archive: 0.4 MB
        _load_without("httpcore", dict.fromkeys(_BLOCKING, _OF_HTTPCORE))
        _load_without("httpx", {"idna": ()})  # of hosts with other letters: saves 0.4 MB
        import structlog  # noqa: F401, PLC0415
    if "uvicorn" not in sys.modules:
        _load_uvicorn()
    for name, stand_ins in _UNUSED.items():
        _load_without(name, stand_ins)


def _load_uvicorn() -> None:
    """Load it without its command line, which imports Click and multiprocessing: saves 2 MB.

    Nor is logging configured by it.
    """
    stand_in = ModuleType("uvicorn.main")
    stand_in.main = stand_in.run = None  # type: ignore[attr-defined]
    stand_in.__getattr__ = lambda name: getattr(import_module("uvicorn.server"), name)  # type: ignore[method-assign]
    unused = {
        "uvicorn.main": stand_in,
        "logging.config": _stand_in("logging.config"),
        "configparser": _stand_in("configparser", ["RawConfigParser"]),
    }
    with _replaced(unused):
        import_module("uvicorn")


_BLOCKING = ("httpcore._sync", "httpcore._sync.connection_pool")  # without asyncio: 0.2 MB
_OF_HTTPCORE = (
    "ConnectionInterface", "ConnectionPool", "HTTP11Connection", "HTTP2Connection",
    "HTTPConnection", "HTTPProxy", "SOCKSProxy",
)  # fmt: skip
_UNUSED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    # a description of types for other libraries: 0.2 MB
    "msgspec": {"msgspec.inspect": ()},
    # servers of the standard library, which it only subclasses, and compression: 1.1 MB
    "prometheus_client": {
        "gzip": (),
        "http.server": ("BaseHTTPRequestHandler",),
        "wsgiref.simple_server": ("WSGIRequestHandler", "WSGIServer", "make_server"),
    },
    # drivers of others for SQLite: 0.2 MB
    "sqlalchemy.dialects.sqlite": {
        "sqlalchemy.dialects.sqlite.aiosqlite": (),
        "sqlalchemy.dialects.sqlite.pysqlcipher": (),
    },
    # pages for debugging: 0.5 MB
    "starlette.middleware.errors": {"html": ()},
}
"""What a library imports and the daemon never uses, with the names that the library needs of it."""


def _load_without(name: str, unused: Mapping[str, tuple[str, ...]]) -> None:
    """Load a library with stand-ins in the place of modules; as it is, if it needs more of them."""
    if name in sys.modules:
        return
    try:
        with _replaced({module: _stand_in(module, names) for module, names in unused.items()}):
            import_module(name)
    except (ImportError, AttributeError, TypeError):
        import_module(name)


def _stand_in(name: str, names: Iterable[str] = ()) -> ModuleType:
    """A module with classes of these names, to be inherited from by nobody.

    Whoever makes an instance gets one of the real class. Anything else of it is that of the real module, which is loaded then.
    """
    module = ModuleType(name)
    for each in names:
        setattr(module, each, _class(name, each))

    def real(attribute: str) -> object:
        if sys.modules.get(name) is module or attribute.startswith("__"):
            raise AttributeError(attribute)
        return getattr(import_module(name), attribute)

    module.__getattr__ = real  # type: ignore[method-assign]
    return module


def _class(module: str, name: str) -> type:
    """A stand-in for a class of a module, which is loaded for the first instance."""

    def new(_: type, *args: object, **kwargs: object) -> object:
        return getattr(import_module(module), name)(*args, **kwargs)

    return type(name, (), {"__new__": new})


@contextmanager
def _replaced(modules: Mapping[str, ModuleType]) -> Iterator[None]:
    """Put these in the place of modules, unless they are already loaded."""
    absent = {name: module for name, module in modules.items() if name not in sys.modules}
    sys.modules.update(absent)
    for name, module in absent.items():
        package, _, last = name.rpartition(".")
        if package in sys.modules:
            setattr(sys.modules[package], last, module)
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
