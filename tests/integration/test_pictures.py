"""The pictures of the README and the manual: there, small, and such that they can be taken again."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pictures.taking import take

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/pictures"
LARGEST = 200_000


def checked(picture: Path) -> Path:
    """It is a WebP that loads fast."""
    start = picture.read_bytes()[:12]
    assert (b"RIFF", b"WEBP") == (start[:4], start[8:])
    assert 10_000 < picture.stat().st_size < LARGEST, picture
    return picture


def test_a_page_shows_each() -> None:
    """The README or a page of the manual, with words for those who do not see it."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    shown = re.findall(r"!\[(.{20,})\]\((?:docs/)?pictures/(.*?)\)", text)

    assert {checked(each).name for each in FOLDER.iterdir()} == {name for _, name in shown}


@pytest.mark.long
def test_they_can_be_taken(tool: Callable[..., str], tmp_path: Path) -> None:
    """The same ones, of a daemon, a mail server and a terminal that are real."""
    for program in ("chromium", "chromedriver"):
        tool(program, "chromium-driver")

    taken = {checked(picture).name for picture in take(tmp_path)}
    assert {picture.name for picture in FOLDER.iterdir()} == taken
