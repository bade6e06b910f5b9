"""Reads a file with tests, and reports every problem at once, with its key and its line."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from fluence_watch.app.rehearsal.cases.table import LONGER, Case, CaseFile
from fluence_watch.errors import ConfigError, Problem
from fluence_watch.model.globs import matches_any
from fluence_watch.rules import RULES
from fluence_watch.settings import WatchSettings
from fluence_watch.settings.checks.doubt import hint, repeated, unmatched
from fluence_watch.settings.environment import Loc, Tables
from fluence_watch.settings.lines import dotted, line_of
from fluence_watch.settings.source import rehearsal_settings, settings_to_rehearse
from fluence_watch.settings.toml_file import read_tables
from fluence_watch.settings.wording import errors_of, words_of

MOST_POLLS = 1_000_000
_OWN = frozenset(CaseFile.model_fields)
Doubts = Iterator[tuple[Loc, str]]


@dataclass(frozen=True, slots=True)
class Suite:
    """The tests of a file, and the settings that they are about."""

    file: Path
    cases: tuple[Case, ...]
    settings: WatchSettings


@dataclass(frozen=True, slots=True)
class _Source:
    """The text of a file, to which errors point."""

    file: Path
    text: str

    def error(self, found: Iterable[tuple[Loc, str]]) -> ConfigError:
        """All that is wrong, in the order of the lines."""
        problems = [
            Problem(dotted(loc), what, str(self.file), line_of(self.text, loc))
            for loc, what in found
        ]
        return ConfigError(sorted(problems, key=lambda each: each.line or 0))

    def check(self, found: Iterable[tuple[Loc, str]]) -> None:
        """Raise what is wrong, if there is something."""
        error = self.error(found)
        if error.problems:
            raise error


def read_suite(file: Path) -> Suite:
    """The tests in a file.

    Raises:
        ConfigError: they cannot be run. It lists every problem with its key and line.
    """
    text, tables = read_tables(file)
    source = _Source(file, text)
    beside = {key: value for key, value in tables.items() if key not in _OWN}
    source.check(_unknown_tables(beside))
    read = _read(source, {key: tables[key] for key in _OWN & tables.keys()})
    if read.config and beside:
        what = f"the settings are in {read.config}: write no others beside the tests"
        source.check([((next(iter(beside)),), what)])
    settings = (
        rehearsal_settings(file.parent / read.config)
        if read.config
        else settings_to_rehearse(beside, file, text)
    )
    source.check(_doubts(read.tests, settings))
    return Suite(file, read.tests, settings)


def _unknown_tables(beside: Iterable[str]) -> Doubts:
    known = sorted(_OWN | WatchSettings.model_fields.keys())
    for key in beside:
        if key not in WatchSettings.model_fields:
            yield (key,), f"unknown table; {hint(key, known)}"


def _read(source: _Source, tables: Tables) -> CaseFile:
    try:
        return CaseFile.model_validate(tables)
    except ValidationError as error:
        found = [(each["loc"], words_of(each, CaseFile)) for each in errors_of(error)]
    raise source.error(found)


def _doubts(cases: tuple[Case, ...], settings: WatchSettings) -> Doubts:
    for number, before in repeated([case.name for case in cases]):
        yield ("tests", number, "name"), f"is already the name of tests[{before}]"
    for number, case in enumerate(cases):
        for check in _CHECKS:
            for loc, what in check(case, settings):
                yield ("tests", number, *loc), what


def _accounts_exist(case: Case, settings: WatchSettings) -> Doubts:
    known = [each.name for each in settings.accounts]
    named: list[tuple[Loc, str | None]] = [(("account",), case.account)]
    for table in ("vms", "rented", "changes", "failures"):
        entries = getattr(case, table)
        named += [((table, at, "account"), each.account) for at, each in enumerate(entries)]
    for loc, name in named:
        if name is not None and name not in known:
            yield loc, _unknown("account", name, known)


def _receivers_exist(case: Case, settings: WatchSettings) -> Doubts:
    known = [each.name for each in settings.receivers if not each.is_alertmanager]
    for at, glob in enumerate(case.receivers):
        if known and not any(matches_any((glob,), each) for each in known):
            yield ("receivers", at), unmatched("receiver", glob, known)
    for number, each in enumerate(case.expect):
        loc: Loc = ("expect", number, "receiver")
        if each.receiver not in known:
            yield loc, _unknown("receiver", each.receiver, known)
        elif not matches_any(case.receivers, each.receiver):
            yield loc, "is not among the receivers of this test"


def _rules_exist(case: Case, _: WatchSettings) -> Doubts:
    known = [rule.name for rule in RULES]
    for at, glob in enumerate(case.rules):
        if not any(matches_any((glob,), each) for each in known):
            yield ("rules", at), unmatched("rule", glob, known)
    for number, each in enumerate(case.expect):
        for place, alert in enumerate(each.alerts or ()):
            loc: Loc = ("expect", number, "alerts", place, "rule")
            if alert.rule not in known:
                yield loc, _unknown("rule", alert.rule, known)
            elif not matches_any(case.rules, alert.rule):
                yield loc, "is not among the rules of this test"


def _things_exist(case: Case, _: WatchSettings) -> Doubts:
    vms, rented = [each.name for each in case.vms], [each.name for each in case.rented]
    yield from _differ("vms", vms)
    yield from _differ("rented", rented)
    for number, each in enumerate(case.rented):
        yield from _named("VM", each.attached_to or (), vms, ("rented", number, "attached_to"))
    for number, change in enumerate(case.changes):
        yield from _named("VM", change.vms, vms, ("changes", number, "vms"))
        yield from _named("rented thing", change.rented, rented, ("changes", number, "rented"))
        for name, facts in change.rented.items():
            loc: Loc = ("changes", number, "rented", name, "attached_to")
            yield from _named("VM", facts.attached_to or (), vms, loc)


def _times_are_within(case: Case, settings: WatchSettings) -> Doubts:
    for table in ("changes", "failures", "silences", "acks", "expect"):
        for number, each in enumerate(getattr(case, table)):
            if each.at > case.end:
                yield (table, number, "at"), "is after the end of the test: raise until"
    if (case.end + LONGER) / (case.interval or settings.poll.interval) > MOST_POLLS:
        yield ("until",), f"there are more than {MOST_POLLS:,} polls until then: raise interval"


def _differ(table: str, names: list[str]) -> Doubts:
    for number, before in repeated(names):
        yield (table, number, "name"), f"is already the name of {table}[{before}]"


def _named(kind: str, names: Collection[str], known: list[str], loc: Loc) -> Doubts:
    for name in names:
        if name not in known:
            yield loc, _unknown(kind, name, known)


def _unknown(kind: str, name: str, known: list[str]) -> str:
    return f"there is no {kind} {name!r}; {hint(name, known, 'there are none')}"


_CHECKS: tuple[Callable[[Case, WatchSettings], Doubts], ...] = (
    _accounts_exist,
    _receivers_exist,
    _rules_exist,
    _things_exist,
    _times_are_within,
)
