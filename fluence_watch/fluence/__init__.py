"""The Fluence API, usable as a library: docs/library.md.

client.py   the calls; blocking.py has the same without asyncio, and is imported by itself
connection.py  the dialect of an account's API, and calls with their budgets
gpu.py      the GPU cloud, beside any dialect
dialects/   one generation of the API each: its requests, and what its responses mean
http/       requests: the key, the time budget, retries, errors
writes/     changes, and the outcome of one whose response is missing
"""

from fluence_watch.errors import (
    ApiError,
    BodyTooLargeError,
    MaintenanceError,
    OutcomeUnknownError,
    RateLimitedError,
    RefusedError,
    ServerError,
    UnauthorizedError,
    UnexpectedPayloadError,
    UnreachableError,
)
from fluence_watch.fluence.client import FluenceClient
from fluence_watch.fluence.config import ClientConfig
from fluence_watch.fluence.dialects import AUTO
from fluence_watch.fluence.dialects.elements import Listing, Resources
from fluence_watch.fluence.http.transport import RequestRecord
from fluence_watch.model.account import AccountBalance, NotReported, ServiceStatus
from fluence_watch.model.billing import Billing, EpochBilling, HourlyBilling, MeteredBilling
from fluence_watch.model.charge import Charge
from fluence_watch.model.market import GoingPrice, Market, Quote, going_price
from fluence_watch.model.money import MicroUsdc, usdc
from fluence_watch.model.ports import Port, parse_port
from fluence_watch.model.resource import Forward, Kind, Resource
from fluence_watch.model.snapshot import Rejected
from fluence_watch.model.ssh_key import AddedKey, SshKey
from fluence_watch.model.vm import Datacenter, Status, Vm

__all__ = [
    "AUTO",
    "AccountBalance",
    "AddedKey",
    "ApiError",
    "Billing",
    "BodyTooLargeError",
    "Charge",
    "ClientConfig",
    "Datacenter",
    "EpochBilling",
    "FluenceClient",
    "Forward",
    "GoingPrice",
    "HourlyBilling",
    "Kind",
    "Listing",
    "MaintenanceError",
    "Market",
    "MeteredBilling",
    "MicroUsdc",
    "NotReported",
    "OutcomeUnknownError",
    "Port",
    "Quote",
    "RateLimitedError",
    "RefusedError",
    "Rejected",
    "RequestRecord",
    "Resource",
    "Resources",
    "ServerError",
    "ServiceStatus",
    "SshKey",
    "Status",
    "UnauthorizedError",
    "UnexpectedPayloadError",
    "UnreachableError",
    "Vm",
    "going_price",
    "parse_port",
    "usdc",
]
