"""How things are timed: each in a process of its own, and the best of several."""

import logging
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import process_time
from typing import ParamSpec, TypeVar

import structlog

T = TypeVar("T")
P = ParamSpec("P")


def apart(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call it in a fresh process: no other measurement's heap is in its way."""
    with ProcessPoolExecutor(1, get_context("spawn"), _keep_quiet) as pool:
        return pool.submit(function, *args, **kwargs).result()


def took(action: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> float:
    """Milliseconds of CPU time, without what it takes to free the result."""
    started = process_time()
    result = action(*args, **kwargs)
    elapsed = (process_time() - started) * 1000
    del result
    return elapsed


def best(repeats: int, action: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> float:
    """The least of several times: what it costs when nobody else is busy."""
    return min(took(action, *args, **kwargs) for _ in range(repeats))


def _keep_quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
