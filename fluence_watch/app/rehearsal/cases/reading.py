"""Reads a file with tests, and reports every problem at once, with its key and its line."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fluence_watch.app.rehearsal.cases.mending import all_in_doubt, knows_things, read_cases
from fluence_watch.app.rehearsal.cases.table import LONGER, Case, CaseFile
from fluence_watch.errors import ConfigError, Problem
from fluence_watch.model.globs import matches_any
from fluence_watch.rules import RULES
from fluence_watch.settings import WatchSettings
from fluence_watch.settings.checks.doubt import hint, repeated, unmatched
from fluence_watch.settings.environment import Loc, Tables
from fluence_watch.settings.lines import dotted, line_of
from fluence_watch.settings.places import overlap
from fluence_watch.settings.source import rehearsal_settings, settings_to_rehearse
from fluence_watch.settings.toml_file import read_tables
from fluence_watch.settings.wording import words_of

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
        return ConfigError(sorted(problems, key=self.order))

    def order(self, problem: Problem) -> tuple[bool, int]:
        """Where a problem stands: by its line in this file, then in others."""
        return problem.source != str(self.file), problem.line or 0

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
    read, errors = read_cases({key: tables[key] for key in _OWN & tables.keys()})
    unknown = [*_unknown_tables(tables)]
    if unknown and "tests" not in tables:  # they may be in one of these
        raise source.error(unknown)
    found = unknown + [(each["loc"], words_of(each, CaseFile)) for each in errors]
    doubtful = [loc for each in errors for loc in all_in_doubt(each)]
    if read is None or ("config",) in doubtful:
        raise source.error(found)
    settings = _settings(source, tables, read.config, found)
    # of another table, what is unknown may be one of its receivers or accounts
    found += [] if unknown else _doubts(read.tests, settings, doubtful)
    source.check(found)
    return Suite(file, read.tests, settings)


def _unknown_tables(tables: Iterable[str]) -> Doubts:
    known = sorted(_OWN | WatchSettings.model_fields.keys())
    for key in tables:
        if key not in known:
            yield (key,), f"unknown table; {hint(key, known)}"


def _settings(
    source: _Source, tables: Tables, config: Path | None, found: Sequence[tuple[Loc, str]]
) -> WatchSettings:
    """The settings that the tests are about; raises what is wrong with them, and what was found before."""
    beside = {key: tables[key] for key in WatchSettings.model_fields.keys() & tables.keys()}
    if config and beside:
        what = f"the settings are in {config}: write no others beside the tests"
        source.check([*found, ((next(each for each in tables if each in beside),), what)])
    try:
        if config:
            return rehearsal_settings(source.file.parent / config)
        return settings_to_rehearse(beside, source.file, source.text)
    except ConfigError as error:
        problems = [*source.error(found).problems, *error.problems]
    raise ConfigError(sorted(problems, key=source.order))


def _doubts(cases: tuple[Case, ...], settings: WatchSettings, doubtful: Sequence[Loc]) -> Doubts:
    """What is wrong with the tests together; nothing is said of what other errors leave unknown."""
    for loc, what in _all_doubts(cases, settings, doubtful):
        if not any(overlap(loc, other) for other in doubtful):
            yield loc, what


def _all_doubts(
    cases: tuple[Case, ...], settings: WatchSettings, doubtful: Sequence[Loc]
) -> Doubts:
    for number, before in repeated([case.name for case in cases]):
        yield ("tests", number, "name"), f"is already the name of tests[{before}]"
    for number, case in enumerate(cases):
        for check in _CHECKS:
            if check is not _things_exist or knows_things(number, doubtful):
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
