"""An SSH key of an account, as every dialect lists it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SshKey:
    """A public key that new VMs get.

    `fingerprint` is `SHA256:…`, `public_key` the OpenSSH line. `id` is what dialect `cloud`
    deletes a key by. What the API does not tell is `None`.
    """

    name: str
    fingerprint: str
    public_key: str
    algorithm: str | None = None
    comment: str | None = None
    active: bool | None = None
    created_at: datetime | None = None
    id: str | None = None

    @property
    def material(self) -> str:
        """Algorithm and key without the comment: what makes two lines the same key."""
        return key_material(self.public_key)


@dataclass(frozen=True, slots=True)
class AddedKey:
    """A key that the account has now; `is_new` is false when it had it before."""

    key: SshKey
    is_new: bool


def key_material(public_key: str) -> str:
    """The first two words of an OpenSSH line."""
    return " ".join(public_key.split()[:2])
