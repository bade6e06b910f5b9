"""Dialect `cloud`: the paginated generation, OpenAPI 0.10.0.

    vm_routes.py   the endpoints of VMs
    rental_routes.py  the endpoints of disks and addresses
    routes.py      the other endpoints
    vms.py         VMs, and what `?expand=` adds to them
    resources.py   disks, addresses, interfaces, networks, SSH keys
    security.py    security groups; rules.py has their rules and the open ports
    billing.py     balance and charges
    places.py      datacenters and clusters
    configurations.py  the sizes of VMs
    prices.py      what the market asks, and costs.py what a set of resources would cost
    scopes.py      what a key may do
    paging.py      lists: pages, filters, order
    errors.py      errors with their codes

Ids are UUIDs, derived from the world's ids.
Money is decimal USD an hour, and there is no reserve. In a world that is not metered, money in a
VM's reserve has left the account's balance.
"""

from collections.abc import Sequence
from typing import Final

from starlette.routing import Route

from fluence_watch.simulator.dialects.cloud.errors import coded_error
from fluence_watch.simulator.dialects.cloud.prices import price_routes
from fluence_watch.simulator.dialects.cloud.rental_routes import rental_routes
from fluence_watch.simulator.dialects.cloud.routes import STATUS_PATH, routes
from fluence_watch.simulator.dialects.cloud.scopes import scope_of
from fluence_watch.simulator.dialects.cloud.vm_routes import vm_routes
from fluence_watch.simulator.dialects.view import Dialect
from fluence_watch.simulator.world import World

_UNAUTHORIZED = 401


def _routes(world: World) -> Sequence[Route]:
    return (*vm_routes(world), *rental_routes(world), *price_routes(world), *routes(world))


CLOUD: Final = Dialect(
    paths=("/v1/", "/v2/"),
    routes=_routes,
    error=coded_error,
    unauthorized=_UNAUTHORIZED,
    bearer=False,
    scope_of=scope_of,
    open_paths=frozenset({STATUS_PATH}),
)
