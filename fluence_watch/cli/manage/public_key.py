"""A public key from a user: read, checked and fingerprinted before anything is sent. Pure.

Source: RFC 4253, section 6.6: the blob begins with its algorithm, as a length-prefixed string.
"""

import binascii
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256

_PRIVATE = re.compile(r"PRIVATE KEY-----|PuTTY-User-Key-File|SSH PRIVATE KEY", re.IGNORECASE)
_OTHER_FORMS = ("-----BEGIN", "---- BEGIN")
_PARTS = 3


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One OpenSSH line. `fingerprint` is `SHA256:…` as `ssh-keygen -l` shows it."""

    line: str
    algorithm: str
    comment: str
    fingerprint: str


class PrivateKeyError(ValueError):
    """It is a private key; the text does not repeat any of it."""


def read_public_key(text: str) -> PublicKey:
    """Read `ssh-ed25519 AAAA… comment`.

    Raises:
        PrivateKeyError: it is a private key.
        ValueError: it is no public key, or more than one. The text never repeats the input.
    """
    if _PRIVATE.search(text):
        raise PrivateKeyError(
            "that is a private key, which must never leave your machine: "
            "give the public one, from the file whose name ends in .pub"
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and lines[0].startswith(_OTHER_FORMS):
        raise ValueError("that is not in OpenSSH's form: convert it with `ssh-keygen -i -f FILE`")
    if len(lines) != 1:
        raise ValueError(f"one public key is needed, on one line; there are {len(lines)} lines")
    return _read_line(lines[0])


def _read_line(line: str) -> PublicKey:
    algorithm, encoded, comment = [*line.split(maxsplit=2), "", "", ""][:_PARTS]
    blob = _blob(encoded)
    prefix = len(algorithm).to_bytes(4, "big") + algorithm.encode()
    if not algorithm or not blob.startswith(prefix) or blob == prefix:
        raise ValueError('that is not a public key: it looks like "ssh-ed25519 AAAA… comment"')
    digest = b64encode(sha256(blob).digest()).decode().rstrip("=")
    return PublicKey(line, algorithm, comment, f"SHA256:{digest}")


def _blob(encoded: str) -> bytes:
    try:
        return b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""
