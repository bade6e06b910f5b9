"""Converts model objects to JSON text and back.

msgspec does the conversion. It rejects lone surrogates in strings.
Text with lone surrogates goes through the slower standard library, so that nothing is lost.
"""

import json
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec
import structlog

from fluence_watch.model.bill import DayCost
from fluence_watch.model.boundaries import Boundaries
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import Port
from fluence_watch.model.resource import Resource
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.vm import Vm
from fluence_watch.rules import FACTS

T = TypeVar("T")

_log = structlog.get_logger(__name__)


def dump(value: object) -> str:
    """The value as JSON text. It contains lone surrogates if the value does."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), ensure_ascii=False, separators=(",", ":"))


class Loader(Generic[T]):
    """Parses JSON text as one type."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._decoder = msgspec.json.Decoder(kind)

    def __call__(self, text: str) -> T:
        """Parse the output of `dump`.

        Raises:
            ValueError: the text is not JSON of this type.
        """
        try:
            return self._decoder.decode(text)
        except UnicodeEncodeError:
            return msgspec.convert(json.loads(text), self._kind)

    def readable(self, text: str | None, account: str) -> T | None:
        """Parse what is stored of an account; `None`, with a log line, if this version cannot read it."""
        try:
            return None if text is None else self(text)
        except ValueError as error:
            _log.warning("stored state unreadable, skipped", account=account, error=str(error))
            return None


class Identified(msgspec.Struct, gc=False):
    """The id of a VM or a resource, without the rest."""

    id: str


load_id = Loader(Identified)
load_vm = Loader(Vm)
load_keys = Loader(tuple[SshKey, ...])
load_ports = Loader(tuple[Port, ...])
load_boundaries = Loader(Boundaries)
load_balance = Loader(MicroUsdc)
load_resource = Loader(Resource)
load_day_costs = Loader(tuple[DayCost, ...])
load_begun = Loader(frozenset[str])
_load_facts: Mapping[str, Loader[Any]] = {name: Loader(kind) for name, kind in FACTS.items()}


def load_facts(name: str, text: str) -> object:
    """Parse the facts of a rule.

    Raises:
        ValueError: this version has no facts type of that name, or its fields differ.
    """
    if name not in _load_facts:
        raise ValueError(f"no rule has facts of the type {name!r:.80}")
    return _load_facts[name](text)
