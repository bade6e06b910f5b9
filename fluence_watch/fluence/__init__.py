"""The Fluence API: HTTP, retries, error mapping, and the dialects.

client.py   the calls
dialects/   one generation of the API each: its requests, and what its responses mean
http/       requests: the key, the time budget, retries, errors
writes/     changes, and the outcome of one whose response is missing
"""

from fluence_watch.fluence.client import FluenceClient
from fluence_watch.fluence.config import ClientConfig
from fluence_watch.fluence.dialects import AUTO
from fluence_watch.fluence.dialects.elements import Listing, Resources
from fluence_watch.fluence.http.transport import RequestRecord
from fluence_watch.model.account import AccountBalance, NotReported, ServiceStatus
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.ssh_key import AddedKey, SshKey

__all__ = [
    "AUTO",
    "AccountBalance",
    "AddedKey",
    "ClientConfig",
    "FluenceClient",
    "Kind",
    "Listing",
    "NotReported",
    "RequestRecord",
    "Resource",
    "Resources",
    "ServiceStatus",
    "SshKey",
]
