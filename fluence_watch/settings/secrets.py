"""Secrets: given in the settings, or in a separate file. No error text shows one."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from fluence_watch.errors import NotifyError
from fluence_watch.model.text import fits_header
from fluence_watch.sender.urls import describe, unusable


def one_secret(given: SecretStr | None, file: Path | None, name: str) -> SecretStr:
    """The secret of the setting `name`, or of the file that its twin `<name>_file` names.

    Raises:
        ValueError: both or neither are given, the file cannot be read, or the secret is empty.
    """
    if (given is None) == (file is None):
        raise ValueError(f"give {name} or {name}_file, one of the two")
    secret = given if given is not None else read_secret(file or Path())
    if not secret.get_secret_value().strip():
        raise ValueError("is empty")
    return secret


def read_secret(path: Path) -> SecretStr:
    """The secret in the file, without the trailing newline.

    Raises:
        ValueError: the file cannot be read, or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ValueError(f"cannot read the secret file {path}: {why}") from None
    if not text:
        raise ValueError(f"the secret file {path} is empty")
    return SecretStr(text)


def check_api_key(key: str) -> None:
    """Check that a request can carry the key.

    Raises:
        ValueError: it cannot; the text does not show the key.
    """
    if not fits_header(key):
        raise ValueError(
            "the API key has a blank, a control or a non-ASCII character: no HTTP header carries it"
        )


def check_apprise_url(url: str) -> None:
    """Check that Apprise can use the URL.

    Raises:
        ValueError: it cannot, or there are several URLs in one; the text does not show the URL.
    """
    try:
        (description,) = describe([url])
    except NotifyError as error:
        raise ValueError(str(error)) from None
    if description is None:
        raise ValueError(unusable(url))


def check_alertmanager_urls(urls: Sequence[str]) -> None:
    """Check that each is the URL of another Alertmanager.

    Raises:
        ValueError: one is not; the text does not show its user and password.
    """
    seen = set[str]()
    for number, url in enumerate(urls, 1):
        address = _address(url)
        if address is None:
            what = "write http:// or https://, a host, and a port, such as http://am-1:9093"
            raise ValueError(f"number {number} is no URL of an Alertmanager: {what}")
        if address in seen:
            raise ValueError(f"{address} is there twice")
        seen.add(address)


def _address(url: str) -> str | None:
    """The URL without user and password, `None` if it is not usable."""
    try:
        parts = urlsplit(url)
        usable = parts.port != 0 and parts.hostname and parts.scheme in {"http", "https"}
    except ValueError:
        return None
    if not usable or not fits_header(url) or parts.query or parts.fragment:
        return None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
