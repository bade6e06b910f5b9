"""The rendered text of one account. Unchanged parts are reused.

Each VM has a row with its label block, and for each series the text after the block.
The lines of a series are joined again only if one of its values changed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from fluence_watch.metrics.account_families import ACCOUNT_FAMILIES, account_label
from fluence_watch.metrics.deflate import Packed, pack
from fluence_watch.metrics.families import VM_FAMILIES, vm_labels
from fluence_watch.metrics.view import AccountView
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import Port
from fluence_watch.model.vm import Vm

_SERIES = tuple((family.name, series) for family in VM_FAMILIES for series in family.series)

COLUMNS: tuple[str, ...] = (
    *(family.name for family in ACCOUNT_FAMILIES),
    *(name for name, _ in _SERIES),
)
"""The metric of each piece of an account."""


@dataclass(slots=True)
class Piece:
    """A part of the page. It is compressed once, on first use."""

    data: bytes
    _packed: Packed | None = field(default=None, repr=False)

    def packed(self) -> Packed:
        """The compressed part."""
        if self._packed is None:
            self._packed = pack(self.data)
        return self._packed


class Row(NamedTuple):
    """A VM's label block, and the text after it in each series, `""` without a sample."""

    vm: Vm
    expected: tuple[Port, ...] | None
    charged: MicroUsdc | None
    block: str
    tails: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AccountText:
    """The account's lines, one piece for each of `COLUMNS`."""

    view: AccountView
    rows: Mapping[str, Row]
    pieces: tuple[Piece, ...]


def render(view: AccountView, before: AccountText | None = None) -> AccountText:
    """Render the account. Pieces that did not change since `before` are the same objects."""
    if before and not _same_context(before.view, view):
        before = None
    rows = _rows(view, before.rows if before else {})
    return AccountText(view, rows, (*_account_pieces(view, before), *_vm_pieces(rows, before)))


def _same_context(a: AccountView, b: AccountView) -> bool:
    known = a.account, a.dialect, a.billing, a.market
    return known == (b.account, b.dialect, b.billing, b.market)


def _account_pieces(view: AccountView, before: AccountText | None) -> tuple[Piece, ...]:
    known = {piece.data: piece for piece in before.pieces} if before else {}
    texts = [_account_text(index, view).encode() for index in range(len(ACCOUNT_FAMILIES))]
    return tuple(known.get(text) or Piece(text) for text in texts)


def _account_text(index: int, view: AccountView) -> str:
    family, account = ACCOUNT_FAMILIES[index], account_label(view)
    return "".join(
        f"{family.name}{{{account}{',' if labels else ''}{labels}}} {value}\n"
        for labels, value in family.samples(view)
    )


def _rows(view: AccountView, before: Mapping[str, Row]) -> dict[str, Row]:
    account, expected = account_label(view), view.expected
    rows = {}
    for key, vm in view.vms.items():
        row, ports, charged = before.get(key), expected.get(key), view.charged_for(key)
        if row is None or row.vm is not vm or (row.expected, row.charged) != (ports, charged):
            row = Row(vm, ports, charged, f"{{{account},{vm_labels(vm)}", _tails(vm, view))
        rows[key] = row
    return rows


def _tails(vm: Vm, view: AccountView) -> tuple[str, ...]:
    tails = []
    for _, series in _SERIES:
        value = series.value(vm, view)
        if value is None:
            tails.append("")
        elif series.labels is None:
            tails.append(f"}} {value}\n")
        else:
            tails.append(f",{series.labels(vm, view)}}} {value}\n")
    return tuple(tails)


def _vm_pieces(rows: Mapping[str, Row], before: AccountText | None) -> tuple[Piece, ...]:
    changed = _changed(rows, before)
    old = before.pieces[len(ACCOUNT_FAMILIES) :] if before else ()
    return tuple(
        _vm_piece(name, index, rows.values()) if index in changed else old[index]
        for index, (name, _) in enumerate(_SERIES)
    )


def _vm_piece(name: str, index: int, rows: Collection[Row]) -> Piece:
    lines = [row.block + row.tails[index] for row in rows if row.tails[index]]
    return Piece((name + name.join(lines)).encode() if lines else b"")


def _changed(rows: Mapping[str, Row], before: AccountText | None) -> Collection[int]:
    """The indexes of the series with a changed line."""
    every = range(len(_SERIES))
    if before is None or list(rows) != list(before.rows):
        return every
    changed: set[int] = set()
    for old, new in zip(before.rows.values(), rows.values(), strict=True):
        if old is new:
            continue
        if old.block != new.block:
            return every
        changed.update(i for i in every if old.tails[i] != new.tails[i])
    return changed
