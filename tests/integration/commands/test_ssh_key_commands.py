import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fluence_watch.model.note import NoteAction
from fluence_watch.store import Store

# ruff: noqa: ANN401 - the fakes' classes are in conftest.py, which is not imported

Run = Callable[..., Any]
Configure = Callable[..., None]

STORE = "sqlite:///fluence-watch.db"
LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@here"
FINGERPRINT = "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA"
PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.fixture(autouse=True)
def _configured(configure: Configure, api: Any) -> None:
    configure({"main": api.url})


def _notes() -> list[tuple[NoteAction, str]]:
    with Store.open(STORE, exclusive=False) as store:
        return [(note.action, note.subject) for note in store.notes("main")]


def test_a_key_comes_and_goes(run: Run, api: Any) -> None:
    """Added with its comment as its name, listed, told from a new one, and removed; each noted."""
    Store.open(STORE).close()
    Path("id.pub").write_text(LINE + "\n", encoding="utf-8")
    dry = run("ssh-key", "add", "--file", "id.pub", "--dry-run")
    assert (0, FINGERPRINT in dry.out) == (dry.code, True)
    assert FINGERPRINT not in api.world.ssh_keys
    added = run("ssh-key", "add", LINE, "--yes")
    again = run("ssh-key", "add", LINE, "--name", "other", "--yes")
    rows = json.loads(run("ssh-key", "ls", "--format", "json").out)

    assert (0, f"me@here  {FINGERPRINT}: added") == (added.code, added.out.splitlines()[-1])
    assert (0, "nothing to do: main has that key already, as me@here\n") == (again.code, again.out)
    assert ("me@here", "ssh-ed25519") == (rows[-1]["name"], rows[-1]["algorithm"])
    assert FINGERPRINT in run("ssh-key", "ls").out

    assert 1 == run("ssh-key", "rm", FINGERPRINT[:12]).code
    assert 0 == run("ssh-key", "rm", FINGERPRINT[7:14], "--yes").code
    assert FINGERPRINT not in api.world.ssh_keys
    assert [(NoteAction.KEY_ADDED, FINGERPRINT), (NoteAction.KEY_REMOVED, FINGERPRINT)] == _notes()


def test_a_private_key_never_leaves(run: Run, api: Any) -> None:
    """From a file or as an argument: exit 1, a clear text, none of it repeated, nothing sent."""
    Path("id").write_text(PRIVATE, encoding="utf-8")
    for args in (["--file", "id"], [PRIVATE]):
        ran = run("ssh-key", "add", *args, "--name", "x", "--yes")
        assert (1, "") == (ran.code, ran.out)
        assert "that is a private key" in ran.err
        assert "c2VjcmV0" not in ran.err


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (["add", "nonsense", "--name", "x"], "that is not a public key"),
        (["add"], "give the public key, or --file PATH"),
        (["add", LINE, "--file", "id.pub"], "and not both"),
        (["add", "--file", "missing.pub"], "missing.pub: No such file"),
        (["add", LINE.rsplit(" ", 1)[0]], "give --name"),
        (["rm", "nobody"], "there is no SSH key 'nobody'"),
        (["rm", ""], "there is no SSH key ''"),
    ],
)
def test_wrong_usage(run: Run, args: list[str], what: str) -> None:
    """Exit 2 with the reason."""
    ran = run("ssh-key", *args, "--yes")
    assert 2 == ran.code
    assert what in ran.err


def test_several_accounts(
    run: Run, configure: Configure, serve: Callable[..., Any], api: Any
) -> None:
    """A key is added to one that is named, and removed where it is clear which is meant."""
    configure({"main": api.url, "other": serve().url})
    both = json.loads(run("ssh-key", "ls", "--format", "json").out)
    fingerprint = both[0]["fingerprint"]
    unclear = run("ssh-key", "rm", fingerprint, "--yes")

    assert ["main", "other"] == [row["account"] for row in both]
    assert 2 == run("ssh-key", "add", LINE, "--yes").code
    assert (2, True) == (unclear.code, "may be any of 2" in unclear.err)
    assert 0 == run("ssh-key", "rm", fingerprint, "--yes", "--account", "main").code
    assert 0 == run("ssh-key", "rm", fingerprint, "--yes").code
    assert "no SSH keys\n" == run("ssh-key", "ls").out


def test_an_account_that_does_not_answer(
    run: Run, configure: Configure, api: Any, unused_port: int
) -> None:
    """The others are listed, exit 3; nothing is removed while it is not clear whose it is."""
    configure({"main": api.url, "lost": f"http://127.0.0.1:{unused_port}"})
    listed = run("ssh-key", "ls")
    assert (3, True) == (listed.code, "laptop" in listed.out)
    assert "account lost: " in listed.err
    assert 3 == run("ssh-key", "rm", "laptop", "--yes").code
    assert api.world.ssh_keys
