import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from fluence_watch.rules import FACTS, RULES, base
from fluence_watch.rules.base import Rule

FOLDER = Path(base.__file__).parent
FACTS_TYPES = [facts for rule in RULES for facts in rule.facts]

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


def test_every_file_is_a_rule_in_RULES() -> None:  # noqa: N802 - the tuple's name
    """A rule that was written and not listed would never be looked at."""
    files = {path.stem for path in FOLDER.glob("*.py")} - {
        "__init__",
        "base",
        "runway",
        "situation",
    }
    assert files == {rule.name for rule in RULES}
    assert len(files) == len(RULES)


@every_rule
def test_a_rule_stands_in_the_file_of_its_name(rule: Rule) -> None:
    """Its name, its file, its settings and its facts are in one place."""
    module = sys.modules[f"fluence_watch.rules.{rule.name}"]
    assert (rule.name, rule) == (module.NAME, module.RULE)
    parts = {rule.judge.__module__, rule.settings.__module__, *(f.__module__ for f in rule.facts)}
    assert {module.__name__} == parts


@every_rule
def test_a_rule_has_tests(rule: Rule) -> None:
    """In the module of its name, beside this one."""
    assert Path(__file__).with_name(f"test_{rule.name}.py").is_file()


@every_rule
def test_a_rule_explains_its_settings(rule: Rule) -> None:
    """Every key has a default and a description, for the example configuration."""
    rule.settings()
    silent = [name for name, key in rule.settings.model_fields.items() if not key.description]
    assert [] == silent


@pytest.mark.parametrize("facts", FACTS_TYPES, ids=lambda facts: facts.__name__)
def test_facts_are_frozen_data_that_can_be_read_back(facts: type) -> None:
    """They are stored under their name, so the name is found again and is nobody else's."""
    assert is_dataclass(facts)
    assert facts.__dataclass_params__.frozen
    assert fields(facts)
    assert FACTS[facts.__name__] is facts
    assert len(FACTS) == len(FACTS_TYPES)
