import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from fluence_watch.errors import ApiError, RefusedError, ServerError, UnauthorizedError
from fluence_watch.fluence.rarely import Rarely

KEEP, REFUSED = 600.0, 60.0
Later = Callable[[float], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Let so many seconds pass, on a clock that stands still otherwise."""
    passed = [1000.0]

    def pass_by(seconds: float) -> None:
        passed[0] += seconds
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: passed[0])

    return pass_by


@dataclass
class Asked:
    """What is requested: gives the answers in turn, the last one for ever."""

    answers: list[str | ApiError]
    times: int = 0
    gates: list[asyncio.Event] = field(default_factory=list)

    async def __call__(self) -> str:
        """Answer, when the gate of this request is open."""
        self.times += 1
        if self.gates:
            await self.gates.pop(0).wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, ApiError):
            raise answer
        return answer


async def test_an_answer_is_kept(later: Later) -> None:
    """To the second, from the time it was asked for."""
    asked, rarely = Asked(["old", "new"]), Rarely[str](KEEP)
    later(0)
    assert ["old", "old"] == [await rarely(asked), await rarely(asked)]
    later(KEEP - 1)
    assert ("old", 1) == (await rarely(asked), asked.times)
    later(1)
    assert ("new", 2) == (await rarely(asked), asked.times)


@pytest.mark.parametrize("empty", ["", (), 0])
async def test_an_answer_that_is_empty(empty: object) -> None:
    """It is an answer like others."""
    times = 0

    async def asked() -> object:
        nonlocal times
        times += 1
        return empty

    rarely = Rarely[object](KEEP)
    assert [empty, empty] == [await rarely(asked), await rarely(asked)]
    assert 1 == times


async def test_an_answer_about_something_else() -> None:
    """It does not count, and only the last one is kept."""
    asked, rarely = Asked(["a", "b", "c"]), Rarely[str](KEEP)
    assert ["a", "a", "b", "b", "c"] == [await rarely(asked, about=day) for day in (1, 1, 2, 2, 1)]


@pytest.mark.parametrize(
    ("refused", "after", "times"), [(REFUSED, 59, 1), (REFUSED, 60, 2), (0, 0, 2)]
)
async def test_a_refusal_of_the_key(later: Later, refused: float, after: float, times: int) -> None:
    """It is kept for a time of its own, and is over when the time is."""
    asked = Asked([UnauthorizedError("no", status=403), "yes"])
    rarely = Rarely[str](KEEP, refused=refused)
    later(0)
    with pytest.raises(UnauthorizedError, match="no"):
        await rarely(asked)
    later(after)
    if times == 1:
        with pytest.raises(UnauthorizedError, match="no"):
            await rarely(asked)
    else:
        assert "yes" == await rarely(asked)
    assert times == asked.times


async def test_a_refusal_about_something_else() -> None:
    """Each is asked for."""
    asked = Asked([UnauthorizedError("no", status=403), "yes"])
    rarely = Rarely[str](KEEP, refused=REFUSED)
    with pytest.raises(UnauthorizedError):
        await rarely(asked, about=1)
    assert "yes" == await rarely(asked, about=2)


@pytest.mark.parametrize(
    "error", [ServerError("503"), RefusedError("404", status=404), ApiError("odd")], ids=str
)
async def test_other_failures_are_not_kept(later: Later, error: ApiError) -> None:
    """The next call asks again, and an answer that was kept before does not come back."""
    asked, rarely = Asked(["old", error, error, "new"]), Rarely[str](KEEP, refused=REFUSED)
    later(0)
    assert "old" == await rarely(asked)
    later(KEEP)
    for _ in range(2):
        with pytest.raises(type(error)):
            await rarely(asked)
    assert ("new", "new", 4) == (await rarely(asked), await rarely(asked), asked.times)


async def test_calls_at_once() -> None:
    """They share one request, and its answer."""
    asked, rarely = Asked(["one", "two"], gates=[asyncio.Event()]), Rarely[str](KEEP)
    (gate,) = asked.gates
    calls = [asyncio.create_task(rarely(asked)) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()
    assert (["one"] * 3, 1) == (await asyncio.gather(*calls), asked.times)


async def test_calls_about_different_things_at_once() -> None:
    """The answer that is kept is that of its own question, whichever was slower."""
    slow, quick = Asked(["slow"], gates=[asyncio.Event()]), Asked(["quick"])
    (gate,), rarely = slow.gates, Rarely[str](KEEP)
    first = asyncio.create_task(rarely(slow, about=1))
    await asyncio.sleep(0)
    second = asyncio.create_task(rarely(quick, about=2))
    await asyncio.sleep(0)
    gate.set()
    assert ["slow", "quick"] == await asyncio.gather(first, second)
    assert ["quick", "slow"] == [await rarely(quick, about=2), await rarely(slow, about=1)]


async def test_a_call_that_is_cancelled() -> None:
    """The next one asks anew."""
    asked, rarely = Asked(["one"], gates=[asyncio.Event()]), Rarely[str](KEEP)
    call = asyncio.create_task(rarely(asked))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert ("one", 2) == (await rarely(asked), asked.times)


async def test_a_refusal_that_is_kept_does_not_grow() -> None:
    """Nor does it hold on to every call that it has ended."""
    rarely = Rarely[str](KEEP, refused=REFUSED)
    asked, lengths = Asked([UnauthorizedError("no", status=403)]), []
    for _ in range(5):
        with pytest.raises(UnauthorizedError) as caught:
            await rarely(asked)
        lengths.append(len(caught.traceback))
    assert {lengths[1]} == set(lengths[1:])
