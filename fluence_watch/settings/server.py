"""The settings of the HTTP server, and of the links that messages have to it."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AnyHttpUrl, Field, SecretStr

from fluence_watch.rules.base import Settings
from fluence_watch.settings.secrets import one_secret

SHORTEST_SECRET = 32
_PATH = re.compile(r"[A-Za-z0-9._~/-]*")


def _listen(value: str) -> str:
    host, colon, number = value.rpartition(":")
    if not (host and colon and number.isascii() and number.isdigit() and int(number) < 65_536):  # noqa: PLR2004 - ports are 16 bit
        raise ValueError('write an address and a port, such as "127.0.0.1:9824" or "[::]:9824"')
    return value


def _external(value: AnyHttpUrl) -> AnyHttpUrl:
    if value.username or value.password or value.query is not None or value.fragment is not None:
        raise ValueError("write it without a user, a query and a fragment: it is in every message")
    if not _PATH.fullmatch(value.path or ""):  # messages show it as it is, in every format
        raise ValueError("write a path of letters, digits and ._~- only")
    return value


class ServerSettings(Settings):
    """Where metrics, health and the pages are served."""

    listen: Annotated[str, AfterValidator(_listen)] = Field(
        default="127.0.0.1:9824", description="address and port; the container sets 0.0.0.0:9824"
    )
    external_url: Annotated[AnyHttpUrl, AfterValidator(_external)] | None = Field(
        default=None,
        description="address of the status page for people; messages then have links to it",
    )
    action_secret: SecretStr | None = Field(
        default=None,
        description="signs links that acknowledge, snooze and accept; 32 characters or more",
    )
    action_secret_file: Path | None = Field(default=None, description="or a file that holds it")

    @property
    def host(self) -> str:
        """The address to bind."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to bind; 0 lets the system choose."""
        return int(self.listen.rpartition(":")[2])

    @property
    def has_actions(self) -> bool:
        """Whether there is a secret to sign links with."""
        return self.action_secret is not None or self.action_secret_file is not None

    @property
    def base(self) -> str:
        """The external URL without a trailing slash, empty if there is none."""
        return str(self.external_url or "").rstrip("/")

    @property
    def secret(self) -> str:
        """What signs links, from the setting or its file; empty if there is none.

        Raises:
            ValueError: both are given, it cannot be read, or it is short.
        """
        if not self.has_actions:
            return ""
        given = one_secret(self.action_secret, self.action_secret_file, "action_secret")
        secret = given.get_secret_value().strip()
        if len(secret) < SHORTEST_SECRET:
            raise ValueError(
                f"is shorter than {SHORTEST_SECRET} characters: make one with `openssl rand -hex 32`"
            )
        return secret
