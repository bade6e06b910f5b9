"""The Fluence API, whole: HTTP, retries, error mapping, and the dialects it speaks.

client.py        what there is to call
dialects/        one generation of the API each: what is asked, and what the answers mean
transport.py     requests: the key, the time budget, retries, errors
settling.py      the outcome of a change whose answer is missing
"""

from fluence_watch.fluence.client import FluenceClient
from fluence_watch.fluence.config import ClientConfig
from fluence_watch.fluence.dialects import AUTO
from fluence_watch.fluence.dialects.elements import Listing
from fluence_watch.fluence.http.transport import RequestRecord
from fluence_watch.model.account import AccountBalance, NotReported, ServiceStatus
from fluence_watch.model.ssh_key import AddedKey, SshKey

__all__ = [
    "AUTO",
    "AccountBalance",
    "AddedKey",
    "ClientConfig",
    "FluenceClient",
    "Listing",
    "NotReported",
    "RequestRecord",
    "ServiceStatus",
    "SshKey",
]
