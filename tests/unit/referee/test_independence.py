"""The referee judges by the manual: it must not look at the code that it judges."""

from pathlib import Path

import pytest

from tests.e2e.truth import referee

FILES = sorted(Path(referee.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_referee_imports_nothing_that_it_judges(file: Path) -> None:
    """Neither rules nor what decides who is told."""
    text = file.read_text(encoding="utf-8")

    assert "fluence_watch.rules" not in text
    assert "fluence_watch.alerting" not in text
