"""`market`: what everything that runs would cost now, here and elsewhere."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.options import AccountOption, ConfigOption, FormatOption
from fluence_watch.cli.common.output import Column, OutputFormat, print_json, print_rows
from fluence_watch.errors import ApiError
from fluence_watch.model.charge import VM, words_of
from fluence_watch.model.market import Market
from fluence_watch.model.resource import Resource
from fluence_watch.model.snapshot import Outcome, PollFailure, Snapshot
from fluence_watch.model.text import inert
from fluence_watch.model.vm import Vm

if TYPE_CHECKING:
    from fluence_watch.app.wiring import Setup
    from fluence_watch.views.market import MarketView

NOT_FOUND, UNKNOWN = 1, 3

_COLUMNS = (
    Column("what", "WHAT"),
    Column("account", "ACCOUNT", drop=4),
    Column("place", "PLACE", drop=2),
    Column("per_day", "A DAY", right=True),
    Column("market_here", "MARKET HERE", right=True),
    Column("market_elsewhere", "ELSEWHERE", right=True),
    Column("best_place", "WHERE", drop=1),
    Column("saves_at_best", "SAVES A MONTH", right=True),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(market)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What runs in an account, and what the market asks."""

    outcome: Outcome
    market: Market | ApiError


def market(
    reference: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="REFERENCE", help="Ids, beginnings of ids, names, or globs on names."
        ),
    ] = None,
    config: ConfigOption = None,
    account: AccountOption = None,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Print what all that runs would cost now, here and elsewhere.

    Amounts are USDC a day. What runs keeps its price: a saving is that of a new one, in 30 days.
    """
    from fluence_watch.cli.common.accounts import prepared

    setup = prepared(config, account)
    asked = _ask_all(setup)
    rows = [row for each in asked for row in _rows(setup, each)]
    wanted = [each for each in reference or () if each]
    shown = [row for row in rows if not wanted or any(_is_meant(row, each) for each in wanted)]
    if form is OutputFormat.JSON:
        print_json(shown)
    elif shown:
        _print_table(shown, form)
    _end(asked, [each for each in wanted if not any(_is_meant(row, each) for row in rows)])
    if not shown and form is not OutputFormat.JSON:
        typer.echo("nothing costs money")


def _ask_all(setup: "Setup") -> Sequence[_Asked]:
    from fluence_watch import eventloop
    from fluence_watch.app.clock import utc_now
    from fluence_watch.app.poll import fetch
    from fluence_watch.app.rented import attempt
    from fluence_watch.app.wiring import connect

    async def ask(name: str) -> _Asked:
        async with connect(name, setup.clients[name], utc_now) as client:
            outcome = await fetch(client, setup.policies[name], utc_now)
            return _Asked(outcome, await attempt(client.market()))

    async def ask_all() -> Sequence[_Asked]:
        return await asyncio.gather(*(ask(name) for name in setup.policies))

    return eventloop.run(ask_all())


def _rows(setup: "Setup", asked: _Asked) -> "Iterable[MarketView]":
    from fluence_watch.views.market import market_view

    outcome = asked.outcome
    if isinstance(outcome, PollFailure):
        return
    known = asked.market if isinstance(asked.market, Market) else Market()
    billing = setup.policies[outcome.account].billing_of(outcome)
    things: list[Vm | Resource] = [*outcome.vms.values(), *outcome.resources.values()]
    for thing in things:
        if thing.is_billed:
            yield market_view(outcome.account, thing, known, billing)


def _is_meant(row: "MarketView", reference: str) -> bool:
    name = row.name or ""
    is_named = name == reference or fnmatchcase(name, reference)
    return is_named or row.id.lower().startswith(reference.lower())


def _print_table(rows: "Sequence[MarketView]", form: OutputFormat) -> None:
    several = len({row.account for row in rows}) > 1
    shown = _COLUMNS if several else [c for c in _COLUMNS if c.key != "account"]
    print_rows(
        shown,
        [
            {
                "what": f"{words_of(row.kind)[0]} {row.title}" if row.kind != VM else row.title,
                "account": row.account,
                "place": row.place,
                "per_day": row.per_day,
                "market_here": row.market_here,
                "market_elsewhere": row.market_elsewhere,
                "best_place": row.best_place,
                "saves_at_best": row.saves_at_best,
            }
            for row in rows
        ],
        form,
    )
    typer.echo(f"\n{_sums(rows)}")


def _sums(rows: "Sequence[MarketView]") -> str:
    """What new ones save; not counted is what nobody offers, or whose price is not known."""
    known = [row for row in rows if row.saves_at_best is not None]
    if not known:
        return "what the market asks for them is not known"
    here = sum((row.saves_here or Decimal(0) for row in known), Decimal(0))
    best = sum((row.saves_at_best or Decimal(0) for row in known), Decimal(0))
    more = f"; not counted: {len(rows) - len(known)}" if len(known) < len(rows) else ""
    return f"in 30 days, new ones at the same places save {here:,.2f} USDC, the cheapest {best:,.2f}{more}"


def _end(asked: Sequence[_Asked], missing: Sequence[str]) -> None:
    """Print on stderr what is not known; exit with 3 if it is an account, 1 if nothing is meant."""
    code = 0
    for each in asked:
        if isinstance(each.outcome, PollFailure):
            _note(each.outcome.account, each.outcome.message)
            code = UNKNOWN
            continue
        _note_unlisted(each.outcome)
        if isinstance(each.market, ApiError):
            _note(each.outcome.account, f"the market is not known: {each.market}")
            code = UNKNOWN
        else:
            for what, why in each.market.unknown.items():
                _note(each.outcome.account, f"{what} are not known in full: {inert(why)}")
    if missing and not code:
        named = ", ".join(inert(each, 60) for each in missing)
        typer.echo(f"fluence-watch: nothing that runs is meant by: {named}", err=True)
        code = NOT_FOUND
    if code:
        raise typer.Exit(code)


def _note_unlisted(outcome: Snapshot) -> None:
    """Print what may run and is not shown."""
    if outcome.rejected:
        _note(outcome.account, f"VMs that cannot be read: {len(outcome.rejected)}")
    if outcome.incomplete_because:
        _note(outcome.account, f"VMs are not known in full: {inert(outcome.incomplete_because)}")
    for kind in sorted(outcome.unlisted):
        why = inert(outcome.unknown[kind.words])
        _note(outcome.account, f"{kind.words} are not known in full: {why}")


def _note(account: str, text: str) -> None:
    typer.echo(f"fluence-watch: account {inert(account)}: {text}", err=True)
