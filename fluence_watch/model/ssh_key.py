"""An SSH key of an account, in every dialect."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SshKey:
    """A public key that is installed on new VMs.

    `fingerprint` is `SHA256:…`. `public_key` is the OpenSSH line.
    `id` is set in dialect `cloud`, which deletes keys by id.
    A field that the API does not report is `None`.
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
        """The algorithm and the key, without the comment. It is what identifies a key."""
        return key_material(self.public_key)


@dataclass(frozen=True, slots=True)
class AddedKey:
    """A key after an add request. `is_new` is false if the account already had it."""

    key: SshKey
    is_new: bool


def key_material(public_key: str) -> str:
    """The first two words of an OpenSSH line."""
    return " ".join(public_key.split()[:2])
