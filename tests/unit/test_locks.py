"""The lock files are whole: pip needs nothing that they do not pin, and looks for no later release."""

import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS = PROJECT["dependency-groups"]
NEEDED = {
    "run": PROJECT["project"]["dependencies"],
    "build": [*PROJECT["build-system"]["requires"], *GROUPS["build"]],
    "dev": [*PROJECT["project"]["dependencies"], *GROUPS["build"], *GROUPS["dev"]],
    "deploy": GROUPS["deploy"],
}
"""What each lock file is made of."""
INSTALLED = [
    pytest.param(
        lock,
        marks=pytest.mark.skipif(
            lock == "deploy" and find_spec("kubernetes_validate") is None,
            reason="requirements/deploy.txt is not installed",
        ),
    )
    for lock in NEEDED
]


def pinned(lock: str) -> dict[str, Requirement]:
    """The requirements in a lock file, by name."""
    lines = (ROOT / f"requirements/{lock}.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line.removesuffix("\\")) for line in lines if "==" in line]
    return {canonicalize_name(pin.name): pin for pin in pins}


def needs(pin: Requirement) -> Iterator[str]:
    """What a pinned package, with its extras, needs on this machine; it must be installed."""
    if pin.marker and not pin.marker.evaluate():
        return
    for text in requires(pin.name) or []:
        marker = Requirement(text).marker
        if not marker or any(marker.evaluate({"extra": extra}) for extra in ("", *pin.extras)):
            yield text


@pytest.mark.parametrize("lock", INSTALLED)
def test_a_lock_is_whole(lock: str) -> None:
    """Each requirement, its extras too, is met by a pin: of this project, and of what is pinned."""
    pins = pinned(lock)
    texts = [text for text in NEEDED[lock] if isinstance(text, str)]
    try:
        texts += [text for pin in pins.values() for text in needs(pin)]
    except PackageNotFoundError as missing:
        pytest.fail(f"{missing} is pinned and not installed")
    open_ones = [need for need in map(Requirement, texts) if not met(need, pins)]

    assert [] == [str(need) for need in open_ones]


def met(need: Requirement, pins: dict[str, Requirement]) -> bool:
    """Whether a pin meets a requirement, as pip sees it."""
    pin = pins.get(canonicalize_name(need.name))
    if pin is None:
        return False
    (version,) = (each.version for each in pin.specifier)
    return need.specifier.contains(version, prereleases=True) and need.extras <= pin.extras


@pytest.mark.parametrize("lock", NEEDED)
def test_a_lock_names_no_index(lock: str) -> None:
    """Where packages come from is the machine's business; each line is a pin, a hash or a comment."""
    lines = (ROOT / f"requirements/{lock}.txt").read_text(encoding="utf-8").splitlines()
    first = [line.split(maxsplit=1)[0] for line in lines if line.strip()]

    assert [] == [
        word for word in first if "==" not in word and not word.startswith(("#", "--hash="))
    ]


def test_the_locks_agree() -> None:
    """What two of them pin has one version: they share an environment."""
    run, build, dev, deploy = map(pinned, NEEDED)

    for name, pin in {**run, **build, **deploy}.items():
        assert pin.specifier == dev.get(name, pin).specifier, name
    assert (run.keys() | build.keys()) <= dev.keys()
