"""The store between processes: what a kill leaves, who is locked out, and what is not loaded."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fluence_watch.store import Store

ENDLESS_POLLS = Path(__file__).with_name("endless_polls.py")


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new, empty store of the backend can be made."""
    return f"{request.param}:///{tmp_path}/store.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An open, empty store."""
    with Store.open(url) as opened:
        yield opened


def last_commit_before_kill(url: str, lines: int) -> int:
    """Let a process commit until it printed so many lines, then kill it in the midst of it."""
    command = [sys.executable, str(ENDLESS_POLLS), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        printed = [line for _, line in zip(range(lines), process.stdout, strict=False)]
        process.kill()
        printed += process.stdout.read().splitlines()
    return int(printed[-1])


def test_a_kill_loses_no_commit_and_halves_none(url: str) -> None:
    """State, alerts and history are all of the same poll, and that is the last that returned."""
    for lines in (7, 40):
        returned = last_commit_before_kill(url, lines)
        with Store.open(url) as store:
            state = store.load("main").state
            (vm,), (alert,) = state.known, state.alerts.values()
            kept = int(vm)
            assert kept in {returned, returned + 1}
            assert str(kept) == alert.facts.reason  # type: ignore[attr-defined] # PollFailing
            assert kept == 1 + len(store.load("main").unsettled)


def test_a_second_process_is_refused(url: str, store: Store) -> None:
    """The lock is between processes."""
    code = f"from fluence_watch.store import Store; Store.open({url!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 1 == done.returncode
    assert f"StoreLockedError: another fluence-watch runs on {url[10:]} (pid " in done.stderr


def test_a_store_is_made_and_opened_without_alembic(url: str) -> None:
    """It costs 0.1 s and 8 MB."""
    script = (
        "import sys; from fluence_watch.store import Store; Store.open(sys.argv[1]).close(); "
        "sys.exit('alembic' in sys.modules)"
    )
    for _ in ("a new one", "one of this version"):
        subprocess.run([sys.executable, "-c", script, url], check=True)
