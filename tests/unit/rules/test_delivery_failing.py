from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.model.finding import WATCHER, Absence, Finding, Fingerprint, Severity
from fluence_watch.model.undelivered import Refused, Undelivered
from fluence_watch.rules import RULES, evaluate
from fluence_watch.rules.base import RuleSettings
from fluence_watch.rules.delivery_failing import DeliveryFailing, DeliveryRefused
from fluence_watch.rules.situation import Situation

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
LEFT = Undelivered("HTTP 503", 3, NOW - timedelta(minutes=20))
OPS, CHAT, GONE = (Fingerprint(WATCHER, "delivery_failing", name) for name in ("ops", "chat", "x"))


def settings(**changes: object) -> dict[str, RuleSettings]:
    given = {"delivery_failing": changes}
    return {rule.name: rule.settings.model_validate(given.get(rule.name, {})) for rule in RULES}


def seen(**receivers: Undelivered | None) -> Situation:
    return Situation(
        WATCHER, NOW, {}, {}, receivers=receivers, since=dict.fromkeys((OPS, CHAT, GONE), NOW)
    )


def test_each_receiver_that_fails_is_found() -> None:
    """By its name, with what waits for it; the severity is the user's."""
    verdict = evaluate(seen(ops=LEFT, chat=None), settings(severity="warning"))
    facts = DeliveryFailing("ops", "HTTP 503", 3, LEFT.oldest_at)

    assert {OPS: Finding(OPS, Severity.WARNING, facts)} == verdict.findings


@pytest.mark.parametrize(
    ("fingerprint", "absence"), [(OPS, Absence.OVER), (CHAT, Absence.OVER), (GONE, Absence.GONE)]
)
def test_what_is_no_more_ends_quietly(fingerprint: Fingerprint, absence: Absence) -> None:
    """A receiver that works is news, one that was removed from the settings is not."""
    assert absence is evaluate(seen(ops=None, chat=None), settings()).absence(fingerprint)


def test_a_disabled_rule_ends_its_alerts() -> None:
    """What the user turned off is not found, and what fires ends quietly."""
    verdict = evaluate(seen(ops=LEFT), settings(enabled=False))

    assert ({}, Absence.GONE) == (verdict.findings, verdict.absence(OPS))


def test_the_rules_of_accounts_do_not_judge_the_watcher() -> None:
    """It has no VMs, and no poll that could fail; accounts are not judged by its rule either."""
    of_account = evaluate(Situation("main", NOW, {}, {}, receivers={"ops": LEFT}), settings())

    assert {"delivery_failing", "budget", "silence_ending"} == evaluate(
        seen(ops=LEFT), settings()
    ).judged
    assert "delivery_failing" not in of_account.judged
    assert {} == of_account.findings


def test_a_receiver_that_works_but_refuses_alerts() -> None:
    """It is found at once, beside a failure, and over when those alerts are."""
    alerts = tuple(f"main low_balance 0x{number}" for number in range(7))
    fingerprint = OPS._replace(key="refused")
    situation = replace(seen(ops=None), refused={"ops": Refused(alerts)}, since={fingerprint: NOW})
    facts = DeliveryRefused("ops", alerts[:5], 7)
    finding = Finding(fingerprint, Severity.CRITICAL, facts, at_once=True)

    assert {fingerprint: finding} == evaluate(situation, settings()).findings
    over = evaluate(replace(situation, refused={}), settings())
    assert Absence.OVER is over.absence(fingerprint)
