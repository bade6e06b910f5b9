"""The results of tests: in words, and as data."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from fluence_watch.alerting.telling import Line
from fluence_watch.app.rehearsal.cases.running import Difference, Got, Result
from fluence_watch.app.rehearsal.cases.table import Case, Expected, ExpectedAlert
from fluence_watch.app.rehearsal.cases.times import written
from fluence_watch.model.finding import shown_account, vm_of
from fluence_watch.model.text import inert

_LONGEST = 300
_NOTHING = "no message"


def in_words(result: Result) -> str:
    """A test: whether it passed, and what is not as expected."""
    name = inert(result.case.name, _LONGEST)
    lines = [f"  {'ok  ' if result.passed else 'FAIL'}  {name}"]
    for each in result.differences:
        lines += [f"        {line}" for line in _difference(result.case, each)]
    return "\n".join(lines)


def summary(passed: Sequence[bool]) -> str:
    """How many tests passed, in words."""
    failed = passed.count(False)
    number = f"{len(passed)} test{'s' if len(passed) != 1 else ''}"
    return f"{number}: {failed} failed" if failed else f"{number}: all passed"


def as_view(file: Path, result: Result) -> Mapping[str, object]:
    """A test as data."""
    start = result.case.start
    return {
        "file": str(file),
        "test": result.case.name,
        "passed": result.passed,
        "differences": [
            {
                "at": written(each.at),
                "time": start + each.at,
                "receiver": each.receiver or None,
                "expected": [
                    one.model_dump(mode="json", exclude_unset=True) for one in each.expected
                ],
                "got": [_got_view(one) for one in each.got],
                "sent_at_instead": [written(at) for at in each.elsewhere],
                "acknowledges_nothing": list(each.unused.match) if each.unused else None,
            }
            for each in result.differences
        ],
    }


def _got_view(got: Got) -> Mapping[str, object]:
    return {
        "account": shown_account(got.account),
        "title": got.title,
        "body": got.body,
        "alerts": [_facts_of(line) for line in got.lines],
    }


def _facts_of(line: Line) -> Mapping[str, str]:
    alert, about = line.alert, line.alert.fingerprint
    vm = vm_of(alert.facts)
    facts = {
        "rule": about.rule,
        "vm": (vm.name or vm.id) if vm else "",
        "reason": line.reason.value,
        "severity": alert.severity.value,
        "subject": "" if vm else about.subject,
        "key": about.key,
    }
    return {name: value for name, value in facts.items() if value}


def _difference(case: Case, each: Difference) -> Iterator[str]:
    if each.unused is not None:
        match = inert(", ".join(each.unused.match), _LONGEST)
        yield f"{_time(case, each.at)}: the acknowledgement of {match}"
        yield "  nothing that fires then matches"
        return
    yield f"{_time(case, each.at)}, to {inert(each.receiver, _LONGEST)}"
    for label, lines in (
        ("expected:", [line for one in each.expected for line in _expected(one)]),
        ("got:     ", [line for one in each.got for line in _got(one)]),
    ):
        first, *more = lines or [_NOTHING]
        yield f"  {label} {first}"
        yield from (f"            {line}" for line in more)
    if each.elsewhere:
        times = ", ".join(_time(case, at) for at in each.elsewhere)
        yield f"  hint:     this is sent at {times}"


def _time(case: Case, at: timedelta) -> str:
    """When: since the start, and by the clock."""
    moment: datetime = case.start + at
    date = "" if moment.date() == case.start.date() else "%Y-%m-%d "
    return f"{written(at)} ({moment.strftime(f'{date}%H:%M:%S').removesuffix(':00')} UTC)"


def _expected(expected: Expected) -> Iterator[str]:
    if expected.account:
        yield f"about account {inert(expected.account, _LONGEST)}"
    for alert in expected.alerts or ():
        yield _written(alert)
    if expected.title is not None:
        yield f"with the title {inert(expected.title, _LONGEST)}"
    for text in expected.says:
        yield f"that says {inert(text, _LONGEST)}"
    if not (expected.account or expected.alerts or expected.says or expected.title):
        yield "a message"


def _written(alert: ExpectedAlert) -> str:
    written = alert.model_dump(mode="json", exclude_unset=True)
    return _alert({name: str(value) for name, value in written.items() if value is not None})


def _got(got: Got) -> Iterator[str]:
    for line in got.lines:
        yield _alert(_facts_of(line))
    yield f"title: {inert(got.title, _LONGEST)}"
    yield from (f"| {inert(text, _LONGEST)}" for text in got.body.splitlines() if text.strip())


def _alert(facts: Mapping[str, str]) -> str:
    """An alert as it is written in a test."""
    return "{ " + ", ".join(f'{name} = "{inert(value)}"' for name, value in facts.items()) + " }"
