from base64 import b64encode
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.cli.manage.public_key import PrivateKeyError, read_public_key
from fluence_watch.cli.manage.ssh_key import AccountKey, meant
from fluence_watch.model.ssh_key import SshKey

# as `ssh-keygen -l` of OpenSSH has it
LINE = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@here now"
)
PRIVATE = "-----BEGIN {}PRIVATE KEY-----\nc2VjcmV0\n-----END {}PRIVATE KEY-----\n"


def test_a_public_key() -> None:
    """Algorithm, comment and the fingerprint that OpenSSH shows; blanks around it do not matter."""
    key = read_public_key(f"\n  {LINE}  \n")
    assert (LINE, "ssh-ed25519", "me@here now") == (key.line, key.algorithm, key.comment)
    assert "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA" == key.fingerprint
    assert "" == read_public_key(LINE.rsplit(" ", 2)[0]).comment


@pytest.mark.parametrize("kind", ["OPENSSH ", "RSA ", "", "ENCRYPTED ", "EC "])
def test_a_private_key_is_refused(kind: str) -> None:
    """In every form, with a clear text that repeats none of it."""
    with pytest.raises(PrivateKeyError, match="private key, which must never leave") as refused:
        read_public_key(PRIVATE.format(kind, kind))
    assert "c2VjcmV0" not in str(refused.value)


def test_a_private_key_of_putty_is_refused() -> None:
    """PuTTY has a form of its own."""
    with pytest.raises(PrivateKeyError):
        read_public_key("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "there are 0 lines"),
        (f"{LINE}\n{LINE}", "there are 2 lines"),
        ("ssh-ed25519", "not a public key"),
        ("ssh-ed25519 !!!", "not a public key"),
        ("ssh-rsa " + LINE.split()[1], "not a public key"),  # says one thing and is another
        ("ssh-ed25519 " + b64encode(b"\0\0\0\x0bssh-ed25519").decode(), "not a public key"),
        ("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA", "convert it"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA", "convert it"),
    ],
)
def test_what_is_no_public_key(text: str, why: str) -> None:
    """Each is refused with the reason, and is not taken for a private one."""
    with pytest.raises(ValueError, match=why) as refused:
        read_public_key(text)
    assert not isinstance(refused.value, PrivateKeyError)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text that is not a key is taken for one, and nothing but ValueError comes out."""
    with suppress(ValueError):
        assert read_public_key(text).algorithm in text


def _key(name: str, fingerprint: str, account: str = "main") -> AccountKey:
    return AccountKey(account, SshKey(name, f"SHA256:{fingerprint}", "ssh-ed25519 AAAA"))


LAPTOP, WORK, TWIN = _key("laptop", "abcd"), _key("work", "abXY"), _key("work", "Zz", "other")


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("SHA256:abcd", [LAPTOP]),
        ("SHA256:ab", [LAPTOP, WORK]),
        ("abc", [LAPTOP]),
        ("ABC", []),  # base64 has case
        ("laptop", [LAPTOP]),
        ("work", [WORK, TWIN]),
        ("lap", []),
        ("", []),
        ("SHA256:", [LAPTOP, WORK, TWIN]),
    ],
)
def test_which_key_is_meant(reference: str, found: list[AccountKey]) -> None:
    """A fingerprint, the beginning of one with or without SHA256, or a name in full."""
    assert found == meant(reference, [LAPTOP, WORK, TWIN])
