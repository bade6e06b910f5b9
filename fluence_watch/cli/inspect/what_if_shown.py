"""`forecast --what-if`, printed: the accounts with and without the steps, and what that assumes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import typer

from fluence_watch.cli.common.output import (
    UNKNOWN,
    Column,
    OutputFormat,
    Row,
    lasting,
    print_json,
    print_rows,
)
from fluence_watch.model.billing import Billing
from fluence_watch.model.money import MicroUsdc, in_usdc, plain, to_pay, usdc
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.model.text import inert
from fluence_watch.model.what_if import Add, Remove, Step, price_of
from fluence_watch.views.account import AccountOverview

_MOST = 5
_ACCOUNT = Column("account", "ACCOUNT")
_COLUMNS = (
    Column("case", ""),
    Column("vms", "VMS", right=True, drop=4),
    Column("balance", "BALANCE", right=True, drop=3),
    Column("lasts", "LASTS", drop=2),
    Column("first_vm_out", "FIRST VM OUT", drop=1),
    Column("burn_per_day", "A DAY", right=True),
    Column("to_month_end", "TO MONTH'S END", right=True),
)
_PREPAID = (
    "PRICE is USDC an epoch; a new VM takes two epochs from the balance at once: one is charged, the"
    " other is its reserve"
)
_METERED = "PRICE is USDC a day, charged by the second, without disks and public IPs"
_NEVER_DEPLOYED = (
    "what one change adds and a later one removes is never deployed, and costs nothing"
)
_RETURNS = (
    "what is removed returns its reserve to the balance; what is paid of the running epoch or hour is"
    " not given back"
)
_STAYS = (
    "a VM leaves its disks and public IPs, as with `vm rm`, until 'rm disk' and 'rm ip' remove them"
)
_AMOUNTS = ("balance", "burn_per_day", "to_month_end")


@dataclass(frozen=True, slots=True)
class Effect:
    """What a step does to an account: the snapshot `after` it, and the names of what it changes.

    `moved` goes to the balance, or is taken from it if negative; `None` is unknown. `stays` is what
    disks and addresses of removed VMs go on to cost a day. Both are micro-USDC. Of what it removes,
    `never_deployed` is how many things an earlier step added.
    """

    step: Step
    billing: Billing
    after: Snapshot
    names: tuple[str, ...]
    moved: MicroUsdc | None
    stays: MicroUsdc | None = None
    never_deployed: int = 0


@dataclass(frozen=True, slots=True)
class Outlook:
    """An account with and without all steps. `overdrawn` is what its balance lacks then, in micro-USDC."""

    without: AccountOverview
    changed: AccountOverview
    overdrawn: MicroUsdc

    def fields(self) -> dict[str, object]:
        """The outlook as an object of JSON."""
        change = {name: self.change(name) for name in _AMOUNTS}
        return {
            "account": self.without.account,
            "without": self.without,
            "with": self.changed,
            "change": change,
        }

    def change(self, name: str) -> Decimal | None:
        """By how much an amount rises; `None` if that is unknown."""
        before, after = getattr(self.without, name), getattr(self.changed, name)
        return None if before is None or after is None else after - before


def print_outlooks(
    outlooks: Sequence[Outlook], effects: Sequence[Effect], now: datetime, form: OutputFormat
) -> None:
    """Print the accounts that the steps change, the steps, and the assumptions."""
    assumed = list(dict.fromkeys(_assumptions(effects)))
    if form is OutputFormat.JSON:
        steps = [_fields(each) for each in effects]
        accounts = [each.fields() for each in outlooks]
        print_json({"accounts": accounts, "steps": steps, "assumptions": assumed})
        return
    touched = {each.after.account for each in effects}
    rows = [row for e in outlooks if e.without.account in touched for row in _rows(e, now)]
    if rows:
        columns = (_ACCOUNT, *_COLUMNS) if len(outlooks) > 1 else _COLUMNS
        print_rows(columns, rows, form)
        typer.echo()
    for effect in effects:
        typer.echo(_told(effect, several=len(outlooks) > 1))
    for text in _overdrawn(outlooks):
        typer.echo(text)
    typer.echo("\nThis assumes:")
    for text in assumed:
        typer.echo(f"  - {text}")


def _rows(outlook: Outlook, now: datetime) -> Iterator[Row]:
    before, after = outlook.without, outlook.changed
    yield {"case": "without", "account": before.account, **_cells(before, now)}
    yield {"case": "with", "account": before.account, **_cells(after, now)}
    amounts = {name: outlook.change(name) for name in _AMOUNTS}
    times = {
        "lasts": UNKNOWN if before.funded_until is after.funded_until is None else "",
        "first_vm_out": UNKNOWN if _first_out(before) is _first_out(after) is None else "",
    }
    vms = f"{(after.vms or 0) - (before.vms or 0):+}"
    yield {"case": "change", "account": before.account, "vms": vms, **times, **amounts}


def _cells(account: AccountOverview, now: datetime) -> Row:
    return {
        "vms": account.vms,
        "balance": account.balance,
        "lasts": lasting(account.funded_until, now),
        "first_vm_out": _named(account, lasting(_first_out(account), now)),
        "burn_per_day": account.burn_per_day,
        "to_month_end": account.to_month_end,
    }


def _named(account: AccountOverview, lasts: str) -> str:
    """With the VM, where one is out of money before all are removed together."""
    return f"{account.first_vm}: {lasts}" if account.first_vm else lasts


def _first_out(account: AccountOverview) -> datetime | None:
    """When the first VM is lost: without a reserve, when unpaid VMs are removed."""
    return account.first_vm_out or account.vms_removed_at


def _told(effect: Effect, *, several: bool) -> str:
    shown, more = effect.names[:_MOST], len(effect.names) - _MOST
    names = ", ".join(shown) + (f" and {more} more" if more > 0 else "")
    where = f" in {inert(effect.after.account)}" if several else ""
    return f"{_written(effect.step)}{where}: {'; '.join([names, *_money(effect)])}"


def _written(step: Step) -> str:
    """The step as it is typed."""
    if isinstance(step, Add):
        return f"add {step.count} at {_short(step.price)}"
    group = "" if step.group == "vm" else f"{step.group} "
    return f"rm {group}{inert(step.reference, 60)}"


def _short(price: MicroUsdc) -> str:
    """A price without zeros at its end."""
    whole, _, fraction = plain(price).partition(".")
    return ".".join(part for part in (whole, fraction.rstrip("0")) if part)


def _money(effect: Effect) -> Iterator[str]:
    if effect.moved is None:
        yield "a reserve of unknown size returns to the balance"
    elif effect.moved > 0:
        of_reserve = "" if effect.never_deployed else " of reserve"
        yield f"{usdc(effect.moved)}{of_reserve} return to the balance"
    elif effect.moved < 0:
        yield f"{usdc(MicroUsdc(-effect.moved))} are taken from the balance at once"
    if isinstance(effect.step, Add) and not effect.billing.prepaid:
        yield f"{usdc(price_of(effect.step, effect.billing))} an hour each"
    if effect.stays:
        yield f"disks and public IPs stay: {usdc(effect.stays)} a day"


def _overdrawn(outlooks: Iterable[Outlook]) -> Iterator[str]:
    for each in outlooks:
        if each.overdrawn:
            name, missing = inert(each.without.account), to_pay(each.overdrawn)
            yield f"{name}: the balance does not pay for this: {missing} are missing"


def _assumptions(effects: Iterable[Effect]) -> Iterator[str]:
    yield "prices stay as they are, and all else that runs is kept"
    for each in effects:
        if isinstance(each.step, Add):
            yield _PREPAID if each.billing.prepaid else _METERED
            continue
        if each.never_deployed:
            yield _NEVER_DEPLOYED
        if each.never_deployed < len(each.names):
            yield from _of_removal(each, each.step)


def _of_removal(effect: Effect, step: Remove) -> Iterator[str]:
    if effect.moved is None or effect.moved:
        yield _RETURNS
    elif not effect.billing.prepaid:
        yield "what is removed stops costing at once"
        if step.group == "vm":
            yield _STAYS


def _fields(effect: Effect) -> dict[str, object]:
    return {
        "step": _written(effect.step),
        "account": effect.after.account,
        "things": effect.names,
        "to_balance": in_usdc(effect.moved),
        "stays_per_day": in_usdc(effect.stays),
    }
