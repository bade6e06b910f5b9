"""What a key may do, and which requests need it."""

from collections.abc import Mapping
from typing import Final

from fluence_watch.simulator.dialects.cloud.paging import Item
from fluence_watch.simulator.dialects.cloud.resources import USER_ID
from fluence_watch.simulator.world import World

_SCOPES: Final[Mapping[tuple[str, str], str]] = {
    ("GET", "/v2/vms"): "vm:list",
    ("PATCH", "/v2/vms"): "vm:update",
    ("POST", "/v2/vms"): "vm:remove",
    ("GET", "/v1/storages"): "storage:read",
    ("DELETE", "/v1/storages"): "storage:write",
    ("GET", "/v1/public_ips"): "public_ip:read",
    ("DELETE", "/v1/public_ips"): "public_ip:write",
    ("GET", "/v1/security_groups"): "security_groups:read",
    ("PATCH", "/v1/security_groups"): "security_groups:write",
    ("GET", "/v1/ssh_keys"): "ssh_key:list",
    ("POST", "/v1/ssh_keys"): "ssh_key:create",
    ("DELETE", "/v1/ssh_keys"): "ssh_key:remove",
    ("GET", "/v1/clusters"): "clusters:read",
    ("GET", "/v1/billing"): "billing:get_spending_history",
    ("GET", "/v1/configurations"): "vm:list",
    ("GET", "/v1/prices"): "prices:read",
    ("POST", "/v1/prices"): "prices:read",
}


def scope_of(method: str, path: str) -> str | None:
    """The permission that a request needs, if any."""
    found = (s for (verb, start), s in _SCOPES.items() if verb == method and path.startswith(start))
    return next(found, None)


def user_json(world: World) -> Item:
    """The user, with the permissions of the key."""
    scopes = sorted({*_SCOPES.values()} - world.withheld)
    return {"id": USER_ID, "email": "ada@example.com", "permissions": scopes}
