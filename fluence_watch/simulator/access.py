"""The header that may carry the API key."""

from enum import StrEnum


class AcceptedAuth(StrEnum):
    """The header that may carry the API key."""

    BOTH = "both"
    X_API_KEY = "x-api-key"
    BEARER = "bearer"
