from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.alerting.lifecycle import State, Timing
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.state import AccountState
from fluence_watch.app.decide import Context, Decision, Policy, decide
from fluence_watch.model.account import AccountBalance
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.note import Note, NoteAction
from fluence_watch.model.ports import SSH, port
from fluence_watch.model.snapshot import Outcome, PollFailure, Rejected, build_snapshot
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.vm import Status, Vm
from tests.unit.app.hearing import hear

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OPS = (Route("ops"),)
WEB = Vm(
    id="0xA1",
    name="web",
    status=Status.ACTIVE,
    status_word="ACTIVE",
    price=MicroUsdc(298_160),
    reserved=MicroUsdc(359_440),
    next_billing_at=NOW + timedelta(hours=20),
    ports=(SSH,),
)
DB = replace(WEB, id="0xB2", name="db")
OPEN = replace(WEB, ports=(SSH, port(8080)))
DRIFT = Fingerprint("main", "port_drift", "0xa1", "opened:8080/tcp")


def listed(*vms: Vm, minute: int = 0, rejected: tuple[Rejected, ...] = ()) -> Outcome:
    return build_snapshot("main", NOW + minute * MINUTE, vms, rejected)


def failed(minute: int, reason: str = "server_error") -> Outcome:
    return PollFailure("main", NOW + minute * MINUTE, reason, "503")


def polls(policy: Policy, *outcomes: Outcome) -> list[Decision]:
    """What each of the polls leads to, one after the other."""
    state, decisions = AccountState(), []
    for outcome in outcomes:
        decisions.append(decide(state, outcome, policy))
        state = decisions[-1].after
    return decisions


def told(*decisions: Decision, routes: Sequence[Route] = OPS) -> list[list[tuple[str, int, int]]]:
    """After each decision, who hears of how many that fire, and of how many that resolved."""
    return [[(m.receiver, m.firing, m.resolved) for m in each] for each in hear(decisions, routes)]


def test_the_first_list_is_learned(policy: Policy) -> None:
    """A healthy fleet is remembered, and nobody is told of anything."""
    (first,) = polls(policy, listed(WEB, DB))

    assert {"0xa1", "0xb2"} == first.after.known.keys()
    assert (SSH,) == first.after.known["0xa1"].baseline
    assert ({}, [], [[]]) == (first.after.alerts, first.ended, told(first))
    assert (NOW, NOW) == (first.after.last_poll_at, first.after.last_good_at)


def test_a_problem_is_told_once_and_its_end_once(policy: Policy) -> None:
    """One message when it fires, none while it lasts, one when it is over."""
    decisions = polls(
        policy, *(listed(vm, minute=n) for n, vm in enumerate([WEB, OPEN, OPEN, WEB, WEB]))
    )

    assert [[], [("ops", 1, 0)], [], [("ops", 0, 1)], []] == told(*decisions)
    assert [DRIFT] == [alert.fingerprint for alert in decisions[3].ended]
    assert {} == decisions[4].after.alerts


def test_a_failed_poll_changes_no_alert(policy: Policy) -> None:
    """What fired fires still and what is known stays, for nobody looked."""
    decisions = polls(policy, listed(WEB, DB), listed(OPEN, DB, minute=1), failed(2))
    before, after = decisions[1].after, decisions[2].after

    assert before.known == after.known
    assert before.alerts[DRIFT] is after.alerts[DRIFT]
    assert [] == told(*decisions)[2]
    assert (NOW + 2 * MINUTE, NOW + MINUTE) == (after.last_poll_at, after.last_good_at)
    assert State.PENDING is after.alerts[Fingerprint("main", "poll_failing")].state


def test_a_refused_key_is_told_at_once(policy: Policy) -> None:
    """A wrong key does not mend itself; the first poll that fails so fires."""
    first, second = polls(policy, failed(0, "unauthorized"), listed(WEB, minute=1))

    assert [[("ops", 1, 0)], [("ops", 0, 1)]] == told(first, second)
    assert "poll_failing" in {found.rule for found in first.verdict.findings}


def test_a_lost_vm_takes_as_many_polls_as_the_rule_says(policy: Policy) -> None:
    """The second complete list without it, by default; incomplete and failed ones do not count."""
    broken = Rejected("[0]", "no id")
    decisions = polls(
        policy,
        listed(WEB, DB),
        listed(DB, minute=1),
        listed(DB, minute=2, rejected=(broken,)),
        failed(3),
        listed(DB, minute=4),
        listed(DB, WEB, minute=5),
    )

    assert [[], [], [], [], [("ops", 1, 0)], [("ops", 0, 1)]] == told(*decisions)


@pytest.mark.parametrize(
    ("route", "hears"),
    [
        (Route("ops"), True),
        (Route("ops", min_severity=Severity.CRITICAL), False),
        (Route("ops", rules=("low_*",)), False),
        (Route("ops", accounts=("other",)), False),
    ],
)
def test_routes_decide_who_hears(policy: Policy, route: Route, hears: bool) -> None:  # noqa: FBT001 - a table's column
    """The alert fires whoever listens."""
    first, second = polls(policy, listed(WEB), listed(OPEN, minute=1))

    assert State.FIRING is second.after.alerts[DRIFT].state
    assert hears is bool(told(first, second, routes=[route])[1])


def test_two_receivers_get_a_message_each(policy: Policy) -> None:
    """Each is told by itself, so that one that fails does not silence the other."""
    routes = (Route("ops"), Route("boss"))
    decisions = polls(policy, listed(WEB), listed(OPEN, minute=1))

    assert [[], [("ops", 1, 0), ("boss", 1, 0)]] == told(*decisions, routes=routes)


def test_a_missing_vm_is_forgotten_in_the_end(policy: Policy) -> None:
    """After `forget_after` it is known no more, and its alert ends without a message."""
    late = 8 * 24 * 60
    decisions = polls(
        policy, listed(WEB, DB), *(listed(DB, minute=n) for n in (1, 2, late, late + 1))
    )

    assert timedelta(days=7) == policy.presence.forget_after
    assert [[], [], [("ops", 1, 0)], [], []] == told(*decisions)
    assert {"0xb2"} == decisions[-1].after.known.keys()
    assert {} == decisions[-1].after.alerts


MOVED = replace(WEB, public_ip="203.0.113.8")
HOME = replace(WEB, public_ip="203.0.113.7")
KEY = SshKey("laptop", "SHA256:laptop", "ssh-ed25519 AAAA")
FAILED = PollFailure("main", NOW, "server_error", "503")


def story(policy: Policy, *outcomes: Outcome) -> list[Decision]:
    """What each of the polls leads to, a minute apart."""
    return polls(
        policy, *(replace(each, taken_at=NOW + n * MINUTE) for n, each in enumerate(outcomes))
    )


def with_keys(*keys: SshKey) -> Outcome:
    return build_snapshot("main", NOW, [WEB], ssh_keys=keys)


@pytest.mark.parametrize("keep_firing_for", [timedelta(0), timedelta(hours=1)])
@pytest.mark.parametrize("hold", [timedelta(0), timedelta(hours=1)])
@pytest.mark.parametrize(
    "rest",
    [
        (listed(MOVED), listed(MOVED)),
        (FAILED, FAILED, listed(MOVED)),
        (listed(rejected=(Rejected("[0]", "bad", WEB.id),)), listed(MOVED)),
        (listed(), listed(), listed(MOVED)),
    ],
)
def test_a_change_is_told_once(
    policy: Policy, rest: tuple[Outcome, ...], hold: timedelta, keep_firing_for: timedelta
) -> None:
    """Neither failed polls nor a VM that cannot be read tell it again, or that it is over."""
    timing = Timing(hold, keep_firing_for, sends_resolved=False)
    eager = replace(
        policy,
        timings={**policy.timings, "public_ip_changed": timing},
    )
    often = Route("ops", rules=("public_ip_changed",), repeat_interval=MINUTE)
    decisions = story(eager, listed(HOME), listed(MOVED), *rest)

    assert [[], [("ops", 1, 0)], *([] for _ in rest)] == told(*decisions, routes=[often])
    assert {("public_ip_changed", "info")} == {
        (each.fingerprint.rule, each.severity) for each in decisions[2].ended
    }


def test_every_change_is_told(policy: Policy) -> None:
    """To and fro is a change each time, whether or not the last one is still shown."""
    decisions = story(policy, *map(listed, [HOME, MOVED, HOME, MOVED, MOVED, HOME]))

    once = [("ops", 1, 0)]
    assert [[], once, once, once, [], once] == told(*decisions)


def test_keys_are_remembered_while_nobody_knows_them(policy: Policy) -> None:
    """The first list of keys is learned; a poll without one, or a failed one, forgets none."""
    decisions = story(policy, listed(WEB), with_keys(KEY), listed(WEB), FAILED, with_keys())

    assert [None, (KEY,), (KEY,), (KEY,), ()] == [each.after.ssh_keys for each in decisions]
    assert [[], [], [], [], [("ops", 1, 0)]] == told(*decisions)


def test_a_stop_that_ends_in_termination(policy: Policy) -> None:
    """Each is told once and as a problem of its own; that the stop is over is not good news."""
    states = [Status.ACTIVE, Status.STOPPED, Status.STOPPED, Status.TERMINATING]
    states += [Status.TERMINATED, Status.TERMINATED]
    decisions = story(policy, *(listed(replace(WEB, status=each)) for each in states))

    assert [[], [("ops", 1, 0)], [], [], [("ops", 1, 0)], []] == told(*decisions)
    (item,) = hear(decisions)[4][0].items
    assert ("terminated", Severity.CRITICAL) == (item.fingerprint.key, item.severity)


@pytest.mark.parametrize("asked", [True, False])
def test_a_vm_that_the_user_removed(policy: Policy, asked: bool) -> None:  # noqa: FBT001 - a table's column
    """By a note of that it is forgotten when it leaves the list, without a word; else it vanished."""
    note = Note(1, NOW + MINUTE, NoteAction.REMOVED, "0xa1")
    state = decide(AccountState(), listed(WEB, DB), policy).after
    ending = replace(WEB, status=Status.TERMINATED)
    first = decide(state, listed(ending, DB, minute=1), policy, Context([note] if asked else []))
    second = decide(first.after, listed(DB, minute=2), policy)
    third = decide(second.after, listed(DB, minute=3), policy)

    assert [[] if asked else [("ops", 1, 0)], [], []] == told(first, second, third)
    assert asked == ("0xa1" not in second.after.known)
    assert {} == third.after.alerts


def test_notes_are_kept_by_a_failed_poll(policy: Policy) -> None:
    """What the user did is known to the next good poll; only notes on keys and deletions are needed again."""
    removed = Note(1, NOW, NoteAction.REMOVED, "0xa1")
    accepted = Note(2, NOW, NoteAction.ACCEPTED, "0xb2", (SSH, port(8080)))
    added = Note(3, NOW, NoteAction.KEY_ADDED, KEY.fingerprint)
    first = build_snapshot("main", NOW, [WEB, DB], ssh_keys=())
    state = decide(AccountState(), first, policy).after
    failure = decide(state, failed(1), policy, Context([removed, accepted, added]))
    opened = replace(DB, ports=(SSH, port(8080)))
    after = build_snapshot("main", NOW + 2 * MINUTE, [opened], ssh_keys=(KEY,))
    decision = decide(failure.after, after, policy, Context([removed, added]))

    assert [accepted] == failure.applied
    assert [[], []] == told(failure, decision)
    assert {"0xb2"} == decision.after.known.keys()
    assert (KEY,) == decision.after.ssh_keys


def test_a_removal_that_failed(policy: Policy) -> None:
    """The VM is watched as before: when it goes later, it vanished."""
    asked = Note(1, NOW, NoteAction.REMOVED, "0xa1")
    kept = Note(2, NOW + MINUTE, NoteAction.KEPT, "0xa1")
    state = decide(AccountState(), listed(WEB, DB), policy).after
    first = decide(state, listed(WEB, DB, minute=1), policy, Context([asked]))
    notes = [asked, kept]
    second = decide(first.after, listed(WEB, DB, minute=2), policy, Context(notes))
    third = decide(second.after, listed(DB, minute=3), policy, Context(notes))
    fourth = decide(third.after, listed(DB, minute=4), policy, Context(notes))

    assert [[], []] == [first.applied, second.applied]
    assert [[], [], [], [("ops", 1, 0)]] == told(first, second, third, fourth)


@pytest.mark.parametrize(
    ("action", "polls", "messages"),
    [
        (NoteAction.KEY_ADDED, [(0, ()), (1, (KEY,)), (59, (KEY,))], [0, 0, 0]),
        (NoteAction.KEY_ADDED, [(0, ()), (1, ()), (2, ()), (61, ())], [0, 0, 0, 0]),
        (NoteAction.KEY_ADDED, [(0, ()), (1, (KEY,)), (2, ())], [0, 0, 1]),
        (NoteAction.KEY_ADDED, [(0, ()), (1, ()), (60, (KEY,))], [0, 0, 1]),
        (NoteAction.KEY_REMOVED, [(0, (KEY,)), (1, (KEY,)), (2, ())], [0, 0, 0]),
        (NoteAction.KEY_REMOVED, [(0, (KEY,)), (1, (KEY,)), (61, (KEY,))], [0, 0, 0]),
        (NoteAction.KEY_REMOVED, [(0, (KEY,)), (60, ())], [0, 1]),
    ],
)
def test_what_users_do_to_keys(
    policy: Policy,
    action: NoteAction,
    polls: list[tuple[int, tuple[SshKey, ...]]],
    messages: list[int],
) -> None:
    """Granted or not, listed late or not, it is no news for an hour; only then the note is spent."""
    state, notes = AccountState(), [Note(1, NOW, action, KEY.fingerprint)]
    decisions: list[Decision] = []
    for (minute, keys), expected in zip(polls, messages, strict=True):
        snapshot = build_snapshot("main", NOW + minute * MINUTE, [WEB], ssh_keys=keys)
        decision = decide(state, snapshot, policy, Context(notes))
        state = decision.after
        decisions.append(decision)
        assert (minute, expected) == (minute, len(hear(decisions)[-1]))
        assert (notes if minute >= 60 else []) == decision.applied
        notes = [note for note in notes if note not in decision.applied]


def test_a_low_account_is_told_after_half_an_hour(policy: Policy) -> None:
    """Once, and that it is over; while the API does not answer, nothing changes."""
    poor, rich = AccountBalance(MicroUsdc(1)), AccountBalance(MicroUsdc(10**9))
    balances = [(0, poor), (29, poor), (30, poor), (31, None), (32, rich)]
    decisions = polls(
        policy,
        *(
            build_snapshot(
                "main",
                NOW + minute * MINUTE,
                [WEB],
                balance=balance,
                unknown={} if balance else {"balance": "HTTP 503"},
            )
            for minute, balance in balances
        ),
    )

    assert [[], [], [("ops", 1, 0)], [], [("ops", 0, 1)]] == told(*decisions)


@pytest.mark.parametrize("step", [60, 24 * 60])
def test_a_clock_that_is_set_back(policy: Policy, step: int) -> None:
    """What began before the step, with times that are now ahead, goes on and ends as ever."""
    decisions = polls(
        policy,
        listed(WEB, DB),
        listed(OPEN, minute=1),  # db is missing, a port is open
        listed(OPEN, minute=2 - step),
        listed(OPEN, minute=3 - step),
        listed(WEB, DB, minute=4 - step),
        failed(5 - step),
        listed(WEB, DB, minute=16 - step),
    )

    assert [
        [],
        [("ops", 1, 0)],  # the port
        [("ops", 1, 0)],  # db is lost
        [],
        [("ops", 0, 2)],
        [],
        [],
    ] == told(*decisions)
    assert {} == decisions[-1].after.alerts
    assert NOW + timedelta(minutes=16 - step) == decisions[-1].after.last_good_at


@pytest.mark.parametrize("step", [60, 24 * 60])
def test_a_failure_that_lasts_over_a_clock_that_is_set_back(policy: Policy, step: int) -> None:
    """It fires after its `for` on the new clock, and not after the step."""
    minutes = (0, 5, 6 - step, 11 - step, 16 - step)
    decisions = polls(policy, *map(failed, minutes))

    assert [[], [], [], [], [("ops", 1, 0)]] == told(*decisions)
