"""Why rules have no finding: what they could not judge is never said to be fine."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.alerting.conditions import Conditions, conditions_in
from fluence_watch.alerting.state import AccountState
from fluence_watch.app.decide import Decision, Policy, decide
from fluence_watch.app.policies import policies
from fluence_watch.model.billing import EpochBilling
from fluence_watch.model.boundaries import Boundaries
from fluence_watch.model.finding import Fingerprint
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc as M
from fluence_watch.model.odd_charge import OddCharge
from fluence_watch.model.presence import presence_of
from fluence_watch.model.snapshot import Outcome, PollFailure, Rejected, Snapshot, build_snapshot
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules import RULES
from fluence_watch.rules.situation import Scope
from fluence_watch.settings import WatchSettings
from fluence_watch.views.why_rules import NOT_JUDGED, NOTHING_FOUND, rules_now

NOW = datetime(2026, 4, 16, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WEB = Vm(
    "0xAB", "web", Status.ACTIVE, "Active", price=M(10**6), reserved=M(10**8), spent=M(0),
    next_billing_at=NOW + timedelta(hours=12), ports=(), created_at=NOW - timedelta(days=3),
)  # fmt: skip
DB = replace(WEB, id="0xCD", name="db")
FLEET = [replace(WEB, id=f"0xF{n}", name=f"fleet-{n}") for n in range(8)]
BAD = Rejected("[0].price", "not a number", "0xAB")
NAMELESS = Rejected("[0]", "no id", None)
ODD = OddCharge(NOW, 1, M(10**6), M(10**6), M(5 * 10**6))


def policy_of(**rules: object) -> Policy:
    """An account with these settings of rules."""
    made = {"accounts": [{"name": "main", "api_key": "k"}], "rules": rules}
    return policies(WatchSettings.model_validate(made)).accounts["main"]


POLICY = policy_of()


def listed(vms: Sequence[Vm], *rejected: Rejected, because: str | None = None) -> Snapshot:
    """A list of VMs."""
    billing = EpochBilling(timedelta(days=1))
    return build_snapshot("main", NOW, vms, rejected, billing=billing, incomplete_because=because)


def polled(*outcomes: Outcome, policy: Policy = POLICY, state: AccountState | None = None) -> Decision:  # fmt: skip
    """What the last of these polls decides, one a minute."""
    state = state or AccountState()
    for number, each in enumerate(outcomes):
        decision = decide(state, replace(each, taken_at=NOW + number * MINUTE), policy)
        state = decision.after
    return decision


def said(state: AccountState, policy: Policy = POLICY, key: str = "0xab") -> dict[str, tuple[str, str]]:  # fmt: skip
    """What is said of each rule."""
    presence, now = presence_of(state.known, policy.presence, policy.billing), NOW + 10 * MINUTE
    return {e.rule: (e.why, e.words) for e in rules_now(key, state, presence, policy.rules, now)}


GOOD = listed([WEB, DB])
DOWN = PollFailure("main", NOW, "timeout", "no answer")


def changed(**values: object) -> Snapshot:
    """A list in which one VM is another."""
    return listed([replace(WEB, **values), DB])  # type: ignore[arg-type] # as each test says


SITUATIONS: dict[str, tuple[list[Outcome], str]] = {
    "price": ([GOOD, changed(price=None)], "price unknown"),
    "reserve": ([GOOD, changed(reserved=None)], "reserve unknown"),
    "spent": ([GOOD, changed(spent=None)], ""),
    "next charge": ([GOOD, changed(next_billing_at=None)], "next charge unknown"),
    "ports": ([GOOD, changed(ports=None)], "ports unknown"),
    "everything": (
        [GOOD, changed(price=None, reserved=None, spent=None, ports=None, next_billing_at=None)],
        "price, reserve unknown",
    ),
    **{
        f"status {status}": ([GOOD, changed(status=status, status_word=status.upper())], "")
        for status in Status
    },
    "unreadable": ([GOOD, listed([DB], BAD)], "the VM cannot be read"),
    "all unreadable": ([GOOD, listed([], BAD, Rejected("[1]", "bad", "0xCD"))], "the VM cannot be read"),
    "unreadable, then down": ([GOOD, listed([DB], BAD), DOWN], "polls fail (timeout)"),
    "incomplete": ([GOOD, listed([DB], because="page 2 is missing")], "page 2 is missing"),
    "nothing listed": ([GOOD, listed([], because="page 1 is missing")], "page 1 is missing"),
    "no id": ([GOOD, listed([DB], NAMELESS)], "cannot be read, and has no id"),
    "no ids": ([GOOD, listed([], NAMELESS)], "the VM cannot be read"),
    "missing": ([GOOD, listed([DB])], "missing from 1 complete list"),
    "doubted": ([listed([WEB, *FLEET]), *[listed([])] * 4], "9 of 9 VMs left the list at once, so it is not trusted"),
    "down": ([GOOD, DOWN], "polls fail (timeout)"),
}  # fmt: skip


@pytest.mark.parametrize("name", SITUATIONS)
def test_what_is_unknown_is_not_judged(name: str) -> None:
    """Every rule that could not judge the VM says so, unless it is disabled, muted, or has an alert."""
    outcomes, words = SITUATIONS[name]
    decision = polled(*outcomes)
    answers = said(decision.after)
    unknown = {rule for rule, key in decision.verdict.unknown if key == "0xab"} & answers.keys()
    speaking = {found.rule for found in decision.verdict.findings if found.subject == "0xab"}
    unknown -= {other for rule in RULES if rule.name in speaking for other in rule.mutes}
    wrong = {
        rule: answers[rule]
        for rule in unknown
        if POLICY.rules[rule].enabled and answers[rule][0] != NOT_JUDGED
    }
    assert {} == wrong
    assert any(words in each for _, each in answers.values())


def test_an_odd_charge_that_cannot_be_compared() -> None:
    """While the total is not known."""
    before = polled(GOOD).after
    entry = replace(before.known["0xab"], boundaries=Boundaries(NOW, covered=True, odd=ODD))
    state = replace(before, known={**before.known, "0xab": replace(entry, vm=replace(WEB, spent=None))})  # fmt: skip
    assert (NOT_JUDGED, "not judged: spent unknown") == said(state)["unexpected_charge"]


def test_a_short_reserve_without_a_boundary() -> None:
    """Whether it was topped up is not known."""
    before = polled(changed(reserved=M(1))).after
    entry = replace(before.known["0xab"], boundaries=None)
    state = replace(before, known={**before.known, "0xab": entry}, alerts={})
    assert (NOT_JUDGED, "not judged: latest boundary unknown") == said(state)["topup_failed"]


def test_what_is_fine() -> None:
    """Every rule says when it found nothing, or that it is disabled."""
    answers = said(polled(GOOD).after)
    by_why = {why for why, _ in answers.values()}
    assert {NOTHING_FOUND, "disabled"} == by_why
    assert (NOTHING_FOUND, "nothing found at the last poll, 10 min ago") == answers["low_balance"]
    assert "vm_status" in answers
    assert not {r.name for r in RULES if r.scope is Scope.WATCHER} & answers.keys()


def test_an_unreadable_vm_has_not_vanished() -> None:
    """It is in the list."""
    for outcome in (listed([DB], BAD), listed([], BAD)):
        assert NOTHING_FOUND == said(polled(GOOD, outcome).after)["vm_vanished"][0]


def test_branches() -> None:
    """Disabled, muted, forgotten, gone; a rule with an open alert is left out."""
    off = policy_of(low_balance={"enabled": False})
    good = polled(GOOD).after
    assert "disabled: rules.low_balance.enabled = false" == said(good, off)["low_balance"][1]
    muted = replace(good, conditions=Conditions(muted={("low_balance", "0xab"): "topup_failed"}))
    assert ("muted", "muted: topup_failed says more") == said(muted)["low_balance"]
    assert "not judged: the VM is not known any more" == said(good, key="0xee")["low_balance"][1]
    few = "not judged: missing from 1 complete list, fewer than confirm_polls"
    missing = polled(GOOD, listed([DB])).after
    assert few == said(missing)["vm_vanished"][1]
    gone = polled(GOOD, *[listed([DB])] * 9).after
    assert "vm_vanished" not in said(gone)
    assert "not judged: the VM is gone" == said(gone)["low_balance"][1]
    failing = polled(GOOD, DOWN, DOWN).after
    assert (
        "not judged: polls fail (timeout) since 00:01 UTC, 9 min ago"
        == said(failing)["low_balance"][1]
    )
    low = polled(GOOD, changed(reserved=M(1)), changed(reserved=M(1)))
    assert Fingerprint("main", "low_balance", "0xab") in low.after.alerts
    assert "low_balance" not in said(low.after)


def test_what_cannot_be_read_survives_a_restart() -> None:
    """It is read back from the journal; when the VMs can be read again, it is over."""
    first = polled(GOOD).after
    bad = decide(first, listed([], BAD), POLICY)
    again = decide(bad.after, GOOD, POLICY)
    assert bad.after.conditions == conditions_in(bad.entries)
    assert frozenset({""}) == bad.after.conditions.unread
    assert Conditions() == conditions_in([*bad.entries, *again.entries])


def test_the_vm_of_the_tests_is_known() -> None:
    """So that no test passes because nothing is known."""
    assert isinstance(polled(GOOD).after.known["0xab"], KnownVm)
