"""Reads and fingerprints SSH public keys as `ssh-keygen -l` does.

Source: RFC 4253 section 6.6 (the key blob begins with its algorithm as a length-prefixed string).
"""

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from fluence_watch.simulator.errors import RefusedError

_ALGORITHMS = frozenset(
    {
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)


@dataclass(frozen=True, slots=True)
class SshKey:
    """A key of the account. `public_key` is the whole line as given."""

    name: str
    fingerprint: str
    algorithm: str
    comment: str
    public_key: str
    created_at: datetime


def parse_public_key(name: str, line: str, now: datetime) -> SshKey:
    """Read `ssh-ed25519 AAAA… comment`.

    Raises:
        RefusedError: it is not a public key.
    """
    algorithm, _, rest = line.strip().partition(" ")
    encoded, _, comment = rest.strip().partition(" ")
    blob = _blob(encoded)
    prefix = length_prefixed(algorithm.encode())
    if algorithm not in _ALGORITHMS or not blob.startswith(prefix) or blob == prefix:
        raise RefusedError("publicKey is not an SSH public key")
    return SshKey(name, fingerprint(blob), algorithm, comment.strip(), line.strip(), now)


def fingerprint(blob: bytes) -> str:
    """`SHA256:` and the unpadded base64 of the blob's digest."""
    return "SHA256:" + b64encode(sha256(blob).digest()).decode().rstrip("=")


def ed25519_line(key: bytes, comment: str) -> str:
    """The public key line for 32 bytes of an Ed25519 key."""
    blob = length_prefixed(b"ssh-ed25519") + length_prefixed(key)
    return f"ssh-ed25519 {b64encode(blob).decode()} {comment}"


def length_prefixed(data: bytes) -> bytes:
    """The data as an SSH string: four bytes of length, then the bytes."""
    return len(data).to_bytes(4, "big") + data


def _blob(encoded: str) -> bytes:
    try:
        return b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""
