"""The findings of checks, and helpers that checks share."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from fluence_watch.model.globs import matches_any
from fluence_watch.settings.environment import Loc

Entry = TypeVar("Entry")

INTERVAL: Loc = ("poll", "interval")


@dataclass(frozen=True, slots=True)
class Doubt:
    """A conflict between settings; `where` has its keys, the likeliest cause first."""

    where: Sequence[Loc]
    what: str
    fatal: bool = False


def error(what: str, *where: Loc) -> Doubt:
    """A finding that cannot work."""
    return Doubt(where, what, fatal=True)


def note(what: str, *where: Loc) -> Doubt:
    """A finding that is doubtful."""
    return Doubt(where, what)


def rule_key(name: str, key: str) -> Loc:
    """The key of a rule's setting."""
    return "rules", name, key


def twins(section: str, number: int, key: str) -> tuple[Loc, Loc]:
    """The two keys of a secret: the value itself, and the file that contains it."""
    return (section, number, key), (section, number, f"{key}_file")


def names(section: str, entries: Sequence[object]) -> list[Loc]:
    """The keys of the entries' names."""
    return [(section, number, "name") for number in range(len(entries))]


def secret(entry: object, name: str) -> Hashable:
    """The secret of an entry, or a unique value if it cannot be read."""
    try:
        found: Hashable = getattr(entry, name)
    except ValueError:
        return object()
    return found


def repeated(values: Iterable[Hashable]) -> Iterator[tuple[int, int]]:
    """The place of each repeated value, and that of its first occurrence."""
    first: dict[Hashable, int] = {}
    for number, value in enumerate(values):
        before = first.setdefault(value, number)
        if before != number:
            yield number, before


def same_names(section: str, given: Sequence[str]) -> Iterator[Doubt]:
    """The entries that share a name."""
    for number, before in repeated(given):
        what = f"{given[number]!r} is already the name of {section}[{before}]"
        yield error(what, (section, number, "name"), (section, before, "name"))


def unusable(
    section: str, key: str, entries: Iterable[Entry], check: Callable[[Entry], object]
) -> Iterator[Doubt]:
    """The entries whose secret `check` refuses with a `ValueError`."""
    for number, entry in enumerate(entries):
        try:
            check(entry)
        except ValueError as wrong:
            yield error(str(wrong), *twins(section, number, key))


def same_secrets(
    section: str, key: str, given: Iterable[Hashable], what: str, effect: str
) -> Iterator[Doubt]:
    """The entries that share a secret; `what` names it."""
    for number, before in repeated(given):
        yield note(
            f"the same {what} as {section}[{before}]: {effect}",
            *twins(section, number, key),
            *twins(section, before, key),
        )


def unused(section: str, table: BaseModel, what: str) -> Iterator[Doubt]:
    """The keys of a table that is not in use, as far as they are not the defaults."""
    for key, field in type(table).model_fields.items():
        if getattr(table, key) != field.default:
            yield note(what, (section, key))


def matching(globs: Iterable[str], existing: Iterable[str]) -> list[str]:
    """The names that a glob matches."""
    return [name for name in existing if matches_any(globs, name)]


def nearest(word: str, known: Sequence[str], cutoff: float = 0.6) -> list[str]:
    """The known word that is most alike, if one is alike enough."""
    from difflib import get_close_matches  # noqa: PLC0415 - only mistakes need it

    return get_close_matches(word, known, n=1, cutoff=cutoff)


def hint(word: str, known: Sequence[str], none: str = "", alike: float = 0.6) -> str:
    """What may be meant, if it is so much alike, or what there is; `none` is for where nothing is."""
    close = nearest(word, known, alike)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(known)}" if known or not none else none


def unmatched(kind: str, glob: str, existing: Sequence[str]) -> str:
    """The error for a glob that matches nothing, with the nearest name."""
    if "," in glob:
        parts = ", ".join(f'"{part.strip()}"' for part in glob.split(",") if part.strip())
        return f"{glob!r} is one glob with a comma in it, and matches no {kind}: write [{parts}]"
    return f"{glob!r} matches no {kind}; {hint(glob, existing)}"
