"""The rules for Prometheus: promtool reads them, and runs the tests that lie beside them."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "grafana" / "prometheus"
FILES = sorted((FOLDER / "rules").glob("*.yaml"))
CASES = sorted((FOLDER / "tests").glob("*.yaml"))
COMMAND = re.compile(r"`(fluence-watch [a-z]+|curl)[^`]*`", re.DOTALL)


def rules(kind: str) -> Iterator[dict[str, Any]]:
    """The rules of all files that have that key: `alert` or `record`."""
    for file in FILES:
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            yield from (rule for rule in group["rules"] if kind in rule)


ALERTS = {rule["alert"]: rule for rule in rules("alert")}


@pytest.fixture
def promtool(tool: Callable[..., str]) -> Callable[..., str]:
    """Run promtool to its good end; what it prints."""
    path = tool("promtool", "prometheus")

    def run(*arguments: object) -> str:
        done = subprocess.run(
            [path, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_they_are_valid(promtool: Callable[..., str]) -> None:
    """No rule is there twice, none is misspelt."""
    printed = promtool("check", "rules", "--lint=all", "--lint-fatal", *FILES)
    assert len(FILES) == printed.count("SUCCESS")


@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_they_do_what_their_tests_say(promtool: Callable[..., str], cases: Path) -> None:
    """Firing, not firing, missing data, staleness, and every word of the annotations."""
    assert "SUCCESS" in promtool("test", "rules", cases)


def test_the_configuration_is_valid(promtool: Callable[..., str], tmp_path: Path) -> None:
    """With the rules where the configuration looks for them."""
    text = (FOLDER / "prometheus.yml").read_text(encoding="utf-8")
    assert "/etc/prometheus/rules/*.yaml" in text
    moved = tmp_path / "prometheus.yml"
    moved.write_text(text.replace("/etc/prometheus/rules", str(FOLDER / "rules")), "utf-8")

    assert f"{len(FILES)} rule files found" in promtool("check", "config", moved)


def expectations(name: str) -> list[bool]:
    """For each test of the alert: whether it fires."""
    return [
        bool(case.get("exp_alerts"))
        for file in CASES
        for test in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]
        for case in test.get("alert_rule_test", ())
        if case["alertname"] == name
    ]


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_is_tested(name: str) -> None:
    """It fires in one test, and does not in another."""
    assert {True, False} == set(expectations(name))


def test_every_recording_is_tested() -> None:
    """By its name, with a number."""
    text = (FOLDER / "tests" / "recording.yaml").read_text(encoding="utf-8")
    for rule in rules("record"):
        assert rule["record"].startswith("fluence:")
        assert f"expr: {rule['record']}" in text


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_says_what_to_do(name: str) -> None:
    """A severity, a summary in one line, and a description with a command to paste."""
    rule = ALERTS[name]

    assert name.startswith("Fluence")
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    assert {"summary", "description"} == rule["annotations"].keys()
    assert COMMAND.search(rule["annotations"]["description"])


def test_the_manual_lists_them() -> None:
    """All alerts and recordings, and none besides."""
    page = (FOLDER.parents[1] / "docs" / "grafana.md").read_text(encoding="utf-8")
    recorded = {rule["record"] for rule in rules("record")}

    assert set(ALERTS) == set(re.findall(r"\bFluence[A-Z]\w+", page))
    assert recorded == set(re.findall(r"\bfluence:[\w:]+", page))
