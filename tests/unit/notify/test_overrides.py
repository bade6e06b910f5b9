"""Templates of a user, as files."""

import os
from pathlib import Path

import pytest

from fluence_watch.errors import ConfigError
from fluence_watch.notify.overrides import read_overrides, shipped_names


def test_files_with_the_names_of_shipped_templates(tmp_path: Path) -> None:
    """What an editor or Kubernetes leaves there is no template."""
    for name in ("LowBalance.jinja", "_message.jinja", ".hidden", "LowBalance.jinja~"):
        (tmp_path / name).write_text("é", encoding="utf-8")
    (tmp_path / "..data").mkdir()
    (tmp_path / "old").mkdir()
    found = read_overrides(tmp_path)

    assert ["LowBalance.jinja", "_message.jinja"] == list(found)
    assert (str(tmp_path / "LowBalance.jinja"), "é") == found["LowBalance.jinja"]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("LowBalanc.jinja", b"", "there is no template of this name to replace; did you mean 'LowBalance.jinja'?"),
        ("low_balance.jinja", b"", "there is no template of this name to replace; did you mean 'LowBalance.jinja'?"),
        ("README.md", b"", "there is no template of this name to replace; docs/templates.md lists them"),
        ("LowBalance.jinja", b"\xff", "is not UTF-8 text"),
        ("LowBalance.jinja", b" " * 300_000, "is larger than 256 KiB"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_use(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    """By its path, with the nearest name."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_overrides(tmp_path)
    (problem,) = caught.value.problems
    assert (what, str(tmp_path / name)) == (problem.what, problem.source)


def test_what_is_no_file(tmp_path: Path) -> None:
    """A pipe is not waited for."""
    os.mkfifo(tmp_path / "LowBalance.jinja")
    with pytest.raises(ConfigError, match="is not a file"):
        read_overrides(tmp_path)


def test_the_mark_of_an_editor(tmp_path: Path) -> None:
    """Some begin a text in UTF-8 with one; it is not a part of the message."""
    (tmp_path / "_message.jinja").write_bytes(b"\xef\xbb\xbfa")
    assert "a" == read_overrides(tmp_path)["_message.jinja"].text


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """It is an error, not a folder without templates."""
    with pytest.raises(ConfigError, match=r"cannot read the folder .*: No such file or directory"):
        read_overrides(tmp_path / "none")


def test_what_can_be_replaced() -> None:
    """Each template, also those for what messages share."""
    assert {"LowBalance.jinja", "_message.jinja", "_parts.jinja"} <= set(shipped_names())
