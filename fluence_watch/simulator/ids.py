"""UUIDs for dialects that use them, derived so that the same thing always has the same UUID."""

from functools import lru_cache
from uuid import UUID, uuid5

_NAMESPACE = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
_KEPT = 2**19


@lru_cache(maxsize=_KEPT)
def uuid_of(kind: str, key: str) -> str:
    """The UUID of a thing of this kind (`vm`, `storage`) and key."""
    return str(uuid5(_NAMESPACE, f"{kind}:{key}"))
