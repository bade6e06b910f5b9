"""Sample facts: of every rule, and good for every template."""

from datetime import datetime

import pytest

from fluence_watch.app.wiring import RANKS
from fluence_watch.notify.lint import messages
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.render import brief, render
from fluence_watch.notify.samples import alerts, sample_facts
from fluence_watch.rules import RULES
from fluence_watch.rules.base import Rule


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_has_samples(rule: Rule, now: datetime) -> None:
    """Of each type of its facts. A new rule cannot forget them: `notify/samples.py` has them."""
    assert set(rule.facts) == {type(facts) for facts in sample_facts(rule, now)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("fmt", [BodyFormat.TEXT, BodyFormat.MARKDOWN, BodyFormat.MAIL])
def test_the_shipped_templates_take_them(rule: Rule, fmt: BodyFormat, now: datetime) -> None:
    """In messages of every kind."""
    for message in messages(rule, now, RANKS):
        assert render(message, fmt, now).body
    for facts in sample_facts(rule, now):
        assert brief(facts, now)


def test_as_many_as_wanted(now: datetime) -> None:
    """Each is an alert of its own."""
    rule = next(rule for rule in RULES if rule.name == "low_balance")
    made = alerts(rule, now, 20)
    assert 20 == len({alert.fingerprint for alert in made}) == len({a.facts.vm.id for a in made})  # type: ignore[attr-defined] # facts of a VM
