"""The Fluence API, whole: HTTP, retries, error mapping, and the dialects it speaks."""

from fluence_watch.fluence.client import FluenceClient
from fluence_watch.fluence.config import ClientConfig
from fluence_watch.fluence.elements import Listing
from fluence_watch.fluence.transport import RequestRecord

__all__ = ["ClientConfig", "FluenceClient", "Listing", "RequestRecord"]
