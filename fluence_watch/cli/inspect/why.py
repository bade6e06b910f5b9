"""`why`: why a message was sent, and why one was not."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from fluence_watch.cli.common.age import note_age
from fluence_watch.cli.common.completion import complete_vm
from fluence_watch.cli.common.options import ConfigOption, FormatOption, check_account
from fluence_watch.cli.common.output import OutputFormat, print_json
from fluence_watch.cli.manage.choose import meant, nearest
from fluence_watch.cli.manage.confirm import USAGE, stop
from fluence_watch.model.text import inert

if TYPE_CHECKING:
    from fluence_watch.alerting.lifecycle import Episode
    from fluence_watch.alerting.state import AccountState
    from fluence_watch.app.why import Question
    from fluence_watch.app.wiring import Setup
    from fluence_watch.store import Store
    from fluence_watch.views.why import AlertWhy, VmWhy

    States = Mapping[str, AccountState]

_SHOWN = 20
_LONGEST = timedelta(days=3650)
_MOST = 10
"""Alerts of a VM that are told of, unless all are wanted."""


TargetArgument = Annotated[
    str,
    typer.Argument(
        metavar="VM|ALERT-ID",
        help="A VM or a resource by name or id, an account by its name, or an alert by its id;"
        " the beginning of an id is enough.",
        autocompletion=complete_vm,
    ),
]
ReceiverOption = Annotated[
    str | None,
    typer.Option("--receiver", metavar="NAME", help="Only what this receiver got, or not."),
]
OwnerOption = Annotated[
    str | None, typer.Option("--account", metavar="NAME", help="The VM's account.")
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="DURATION", help="How far back.", show_default="store.retention"
    ),
]
AllOption = Annotated[
    bool,
    typer.Option(
        "--all", help=f"All alerts of a VM, not the first {_MOST}, each in full, with all steps."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(why)


def why(
    target: TargetArgument,
    *,
    receiver: ReceiverOption = None,
    account: OwnerOption = None,
    since: SinceOption = None,
    everything: AllOption = False,
    config: ConfigOption = None,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Explain why a message was sent, and why one was not.

    Of a VM: its open alerts, the worst first, then those that are over, newest first;
    and why no other rule found anything.
    """
    from fluence_watch.app.clock import utc_now
    from fluence_watch.app.why import MOST_STEPS, Question, recipients
    from fluence_watch.cli.common.accounts import prepared
    from fluence_watch.cli.inspect.why_shown import print_why
    from fluence_watch.store import Store

    setup, now = prepared(config), utc_now()
    check_account(account, list(setup.policies))
    begin = None if since is None else _begin(since, now)
    with Store.open(setup.settings.store.url, exclusive=False) as store:
        _check_receiver(receiver, setup, store)
        states = {n: store.load(n).state for n in ([account] if account else setup.policies)}
        found = _chosen(store, states, target, account)
        most = (None, None) if everything else (_MOST, MOST_STEPS)
        asked = Question(now, recipients(store, setup, now), receiver, *most)
        told = _answer(store, setup, states, found, asked, begin=begin)
    about = found.account if isinstance(found, _Thing) else found.fingerprint.account
    note_age(_last_polls(states, about), now, setup.settings.poll.interval)
    if form is OutputFormat.JSON:
        print_json(told)
    else:
        print_why(told, now, whole=everything or receiver is not None)


def _last_polls(states: "States", account: str) -> Mapping[str, datetime | None]:
    """The last poll of the account, or of all, where it is none of them."""
    polls = {name: state.last_poll_at for name, state in states.items()}
    return {account: polls[account]} if account in polls else polls


def _answer(
    store: "Store",
    setup: "Setup",
    states: "States",
    found: "_Thing | Episode",
    asked: "Question",
    *,
    begin: datetime | None,
) -> "VmWhy | AlertWhy":
    if isinstance(found, _Thing):
        return _about_thing(store, setup, states, found, asked, begin=begin)
    if begin is not None:
        stop("--since: an alert is told of from its beginning: leave it out", USAGE)
    return _about_alert(store, found, asked)


def _about_thing(
    store: "Store",
    setup: "Setup",
    states: "States",
    thing: "_Thing",
    asked: "Question",
    *,
    begin: datetime | None,
) -> "VmWhy":
    from fluence_watch.app.why import vm_why

    since = begin or asked.now - setup.settings.store.retention
    policy, state = setup.policies[thing.account], states[thing.account]
    return vm_why(store, policy, state, thing.key, asked, since=since)


def _about_alert(store: "Store", episode: "Episode", asked: "Question") -> "AlertWhy":
    from fluence_watch.alerting.attempts import mark
    from fluence_watch.app.why import alert_why

    alert = store.journal.alert(episode)
    if alert is None:  # it was removed meanwhile
        _none(mark(episode), [])
    return alert_why(store, alert, asked)


@dataclass(frozen=True, slots=True)
class _Thing:
    """A VM or a resource that is known, or that an alert was about, or an account: without a key."""

    account: str
    key: str
    name: str | None = None


def _chosen(
    store: "Store", states: "States", target: str, account: str | None
) -> "_Thing | Episode":
    """The VM or the alert that is meant; the command ends with an error if that is not clear."""
    ids = store.journal.ids()
    things = [*_things(states, ids.values())]
    meant_things = meant(target, things)
    alerts = [
        each
        for each, episode in ids.items()
        if target
        and each.startswith(target.lower())
        and account in {None, episode.fingerprint.account}
    ]
    if not meant_things and not alerts:
        meant_things = tuple(each for each in things if target in _former_names(store, each))
    if not meant_things and not alerts:
        _none(target, nearest(target, things))
    if len(meant_things) + len(alerts) > 1:
        named = [f"{each.name or ''} {each.key} of {each.account}" for each in meant_things]
        named += [f"alert {each} {ids[each].fingerprint.words}" for each in alerts]
        _several(target, named)
    return meant_things[0] if meant_things else ids[alerts[0]]


def _former_names(store: "Store", thing: _Thing) -> set[str | None]:
    """The names that it had in its alerts."""
    from fluence_watch.model.finding import vm_of

    alerts = store.journal.alerts(thing.account, thing.key) if thing.key else []
    return {vm.name for alert in alerts if (vm := vm_of(alert.facts))}


def _several(target: str, named: Sequence[str]) -> NoReturn:
    listed = "\n".join(f"  {inert(each)}" for each in named[:_SHOWN])
    stop(f"{inert(target)!r} matches {len(named)}: give more of the id\n{listed}", USAGE)


def _none(target: str, names: Sequence[str]) -> NoReturn:
    hint = f" (did you mean {' or '.join(names)}?)" if names else ""
    stop(
        f"there is no VM, resource, account or alert {inert(target)!r}{hint}:"
        " see fluence-watch vm ls, fluence-watch alerts --resolved",
        USAGE,
    )


def _things(states: "States", alerts: "Iterable[Episode]") -> Iterator[_Thing]:
    """The accounts, what is known of each, and what is forgotten but had alerts."""
    seen = set[tuple[str, str]]()
    for name, state in states.items():
        yield _Thing(name, "", name)
        for each in _known(name, state):
            seen.add((name, each.key))
            yield each
    of_alerts = {(each.fingerprint.account, each.fingerprint.subject) for each in alerts}
    for name, key in sorted(of_alerts - seen):
        if key and name in states:
            yield _Thing(name, key)


def _known(account: str, state: "AccountState") -> Iterator[_Thing]:
    for key, vm in state.known.items():
        yield _Thing(account, key, vm.vm.name)
    for key, rented in state.resources.items():
        yield _Thing(account, key, rented.resource.name)


def _check_receiver(name: str | None, setup: "Setup", store: "Store") -> None:
    known = sorted({*setup.receivers, *store.receivers(), *store.journal.receivers()})
    if name is not None and name not in known:
        listed = ", ".join(map(inert, known)) or "none"
        stop(f"there is no receiver {inert(name)!r}: there are {listed}", USAGE)


def _begin(text: str, now: datetime) -> datetime:
    from fluence_watch.cli.common.times import read_duration

    try:
        return now - read_duration(text, _LONGEST)
    except ValueError as error:
        stop(f"--since: {inert(str(error))}", USAGE)
