"""The daemon before it runs; what it does is proved by the end-to-end tests."""

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from fluence_watch.app.daemon import Daemon, need_restart
from fluence_watch.app.wiring import Setup
from fluence_watch.errors import ReloadError
from fluence_watch.settings import WatchSettings
from fluence_watch.simulator import SettableClock
from fluence_watch.store import Store


async def test_it_is_not_ready_before_it_begins(
    planned: Callable[..., Setup], store: Store, clock: SettableClock
) -> None:
    """It serves before it polls: the first answer must not be that all is well."""
    daemon = Daemon(planned(), store, clock, planned)
    assert ["account main: not polled yet"] == daemon.board.unready()


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({}, []),
        ({"server": {"listen": "127.0.0.1:1"}}, ["server.listen"]),
        ({"store": {"url": "sqlite:///other.db"}}, ["store.url"]),
        ({"poll": {"interval": "5m"}, "log": {"level": "debug"}}, []),
    ],
)
def test_what_no_reload_applies(
    settings: Callable[..., WatchSettings], changes: dict[str, object], keys: list[str]
) -> None:
    """By key, and nothing that a reload applies."""
    assert keys == need_restart(settings(), settings(**changes))


async def test_a_reload_that_our_own_error_ends(
    planned: Callable[..., Setup], store: Store, clock: SettableClock
) -> None:
    """It is told in words, without those of the error; a signal logs it like other failures."""

    def broken() -> Setup:
        raise TypeError("s3cret")

    daemon = Daemon(planned(), store, clock, broken)
    with pytest.raises(ReloadError) as caught:
        await daemon.reload()
    daemon._reload_soon()
    with capture_logs() as logs:
        await asyncio.gather(*daemon._reloads)

    what = str(caught.value)
    assert what.startswith("internal error, please report it: TypeError")
    assert "s3cret" not in what
    assert [("reload failed", [what])] == [(each["event"], each["problems"]) for each in logs]
