"""`forecast --what-if`: what an account costs and how long its money lasts, with and without changes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from fluence_watch.cli.inspect.overview import overview
from fluence_watch.cli.inspect.what_if_shown import Effect, Outlook, print_outlooks
from fluence_watch.cli.manage.choose import Target, matching, meant
from fluence_watch.cli.manage.confirm import USAGE, stop
from fluence_watch.cli.manage.fleet import among, gathered
from fluence_watch.cli.manage.rented import ADDRESSES, DISKS, INSTANCES, Rented, pick, rented
from fluence_watch.model.billing import Billing
from fluence_watch.model.funding import resources_burn
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Resource
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.model.text import inert
from fluence_watch.model.what_if import (
    EPOCHS_AT_ONCE,
    Add,
    Remove,
    Step,
    parse_step,
    price_of,
    returned,
    with_added,
    without,
)
from fluence_watch.views.resource import resource_title, resource_view
from fluence_watch.views.vm import vm_title

if TYPE_CHECKING:
    from fluence_watch.app.wiring import Setup
    from fluence_watch.cli.common.output import OutputFormat

_GROUPS = {group.name: group for group in (DISKS, ADDRESSES, INSTANCES)}
Lists = Mapping[str, Snapshot]
"""The snapshot of each account."""


def read_steps(texts: Sequence[str], accounts: Sequence[str]) -> Sequence[Step]:
    """The steps; ends the command where one cannot be read, or is not clear."""
    try:
        steps = [parse_step(text) for text in texts]
    except ValueError as error:
        raise typer.BadParameter(inert(str(error), 500), param_hint="--what-if") from None
    if len(accounts) > 1 and any(isinstance(step, Add) for step in steps):
        names = inert(", ".join(accounts))
        stop(f"--what-if 'add …' needs --account, to say where; there are: {names}", USAGE)
    return steps


def show_what_if(
    setup: "Setup", lists: Lists, steps: Sequence[Step], now: datetime, form: "OutputFormat"
) -> None:
    """Print each account with and without the steps, taken in their order."""
    after, seen, effects = dict(lists), dict(lists), list[Effect]()
    for step in steps:
        if isinstance(step, Remove):
            _stop_if_removed(setup, seen, after, step)
        for account, effect in _effects(setup, lists, after, step, now):
            effects.append(effect)
            after[account] = effect.after
            seen[account] = _together(seen[account], effect.after)
    outlooks = [_outlook(setup, lists[name], after[name], now) for name in lists]
    print_outlooks(outlooks, effects, now, form)


def _outlook(setup: "Setup", before: Snapshot, after: Snapshot, now: datetime) -> Outlook:
    of_before, of_after = (overview(setup, each, now) for each in (before, after))
    return Outlook(of_before, of_after, overdrawn(before, after))


def overdrawn(before: Snapshot, after: Snapshot) -> MicroUsdc:
    """What the balance lacks after the steps, if it lacked nothing before."""
    if before.balance is None or after.balance is None or before.balance.balance < 0:
        return MicroUsdc(0)
    return MicroUsdc(max(0, -after.balance.balance))


def _together(earlier: Snapshot, later: Snapshot) -> Snapshot:
    """All that is in either of them."""
    vms, resources = {**earlier.vms, **later.vms}, {**earlier.resources, **later.resources}
    return replace(later, vms=vms, resources=resources)


def _stop_if_removed(setup: "Setup", seen: Lists, lists: Lists, step: Remove) -> None:
    """End the command where the step is about nothing but what an earlier one has removed."""
    if not _means(setup, lists, step) and _means(setup, seen, step):
        word = "VM" if step.group == "vm" else _GROUPS[step.group].word
        stop(f"--what-if: an earlier change removes {word} {inert(step.reference, 60)!r}", USAGE)


def _means(setup: "Setup", lists: Lists, step: Remove) -> bool:
    """Whether the reference stands for anything."""
    things: Sequence[Target | Rented]
    if step.group == "vm":
        things = gathered(lists, setup.policies).targets
    else:
        things = rented(lists, _GROUPS[step.group])
    return bool(meant(step.reference, things) or matching(step.reference, things))


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Of an account: the keys of what a step removes, its titles, and what it leaves behind."""

    keys: Sequence[str]
    titles: Sequence[str]
    stays: Sequence[Resource] = ()


def _effects(
    setup: "Setup", before: Lists, lists: Lists, step: Step, now: datetime
) -> Iterable[tuple[str, Effect]]:
    """What the step does to each account that it changes. `before` is without any step."""
    billing_of = {name: setup.policies[name].billing_of(each) for name, each in lists.items()}
    if isinstance(step, Add):
        for name, snapshot in lists.items():
            yield name, _added(snapshot, step, billing_of[name])
        return
    for name, chosen in _chosen(setup, lists, step, now).items():
        effect = _removed(lists[name], step, chosen, billing_of[name])
        new = lists[name].vms.keys() - before[name].vms.keys()
        yield name, replace(effect, never_deployed=len(new.intersection(chosen.keys)))


def _added(snapshot: Snapshot, step: Add, billing: Billing) -> Effect:
    after, price = with_added(snapshot, step, billing), price_of(step, billing)
    new = [vm_title(vm.id, None) for key, vm in after.vms.items() if key not in snapshot.vms]
    taken = step.count * EPOCHS_AT_ONCE * price if billing.prepaid else 0
    return Effect(step, billing, after, tuple(new), MicroUsdc(-taken))


def _removed(snapshot: Snapshot, step: Remove, chosen: _Chosen, billing: Billing) -> Effect:
    after = without(snapshot, chosen.keys, billing)
    vms = [vm for key, vm in snapshot.vms.items() if key in chosen.keys]
    rent = [each for key, each in snapshot.resources.items() if key in chosen.keys]
    moved = returned(vms, rent, billing)
    return Effect(step, billing, after, tuple(chosen.titles), moved, resources_burn(chosen.stays))


def _chosen(setup: "Setup", lists: Lists, step: Remove, now: datetime) -> Mapping[str, _Chosen]:
    """What the reference means, by account, as `vm rm` and `disk rm` have it."""
    if step.group == "vm":
        fleet = gathered(lists, setup.policies)
        targets = among(fleet, [step.reference], several=True)
        return {
            account: _of_vms([each for each in targets if each.account == account])
            for account in dict.fromkeys(each.account for each in targets)
        }
    group = _GROUPS[step.group]
    found = pick(group, [step.reference], rented(lists, group))
    return {
        account: _of_rented([e.resource for e in found if e.account == account], account, now)
        for account in dict.fromkeys(each.account for each in found)
    }


def _of_vms(targets: Sequence[Target]) -> _Chosen:
    """A VM leaves behind what is attached to it and billed by itself, as with `vm rm`."""
    stays = {each.key: each for target in targets for each in target.rented if each.is_billed}
    titles = [target.title for target in targets]
    return _Chosen([target.key for target in targets], titles, list(stays.values()))


def _of_rented(resources: Sequence[Resource], account: str, now: datetime) -> _Chosen:
    titles = [resource_title(resource_view(account, each, now)) for each in resources]
    return _Chosen([each.key for each in resources], titles)
