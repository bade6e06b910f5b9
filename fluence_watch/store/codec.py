"""Model objects as JSON text, and back.

msgspec reads and writes everything; what it refuses, a lone surrogate in a string, goes the
slower way through the standard library, so that nothing is lost.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from fluence_watch.alerting.grouping import Item, Message
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import Port
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.vm import Vm
from fluence_watch.rules import FACTS

T = TypeVar("T")


def dump(value: object) -> str:
    """The value as JSON text; it may hold lone surrogates where the value does."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), ensure_ascii=False, separators=(",", ":"))


class Loader(Generic[T]):
    """Reads JSON text as one type."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._decoder = msgspec.json.Decoder(kind)

    def __call__(self, text: str) -> T:
        """Read what `dump` wrote.

        Raises:
            ValueError: the text is something else.
        """
        try:
            return self._decoder.decode(text)
        except UnicodeEncodeError:
            return msgspec.convert(json.loads(text), self._kind)


load_vm = Loader(Vm)
load_keys = Loader(tuple[SshKey, ...])
load_ports = Loader(tuple[Port, ...])
load_balance = Loader(MicroUsdc)
load_told = Loader(dict[str, datetime])
_load_message = Loader(Message)
_load_facts: Mapping[str, Loader[Any]] = {name: Loader(kind) for name, kind in FACTS.items()}


def load_facts(name: str, text: str) -> object:
    """Read the facts of a rule.

    Raises:
        ValueError: no rule of this version reports facts of that name, or they look different.
    """
    if name not in _load_facts:
        raise ValueError(f"no rule has facts of the type {name!r:.80}")
    return _load_facts[name](text)


def dump_message(message: Message) -> str:
    """The message as JSON text; the facts of each item are written as `[type, facts]`."""
    items = tuple(
        replace(item, facts=(type(item.facts).__name__, item.facts)) for item in message.items
    )
    return dump(replace(message, items=items))


def load_message(text: str) -> Message:
    """Read a message; facts that this version does not know are `None`.

    Raises:
        ValueError: the text is no message.
    """
    message = _load_message(text)
    return replace(message, items=tuple(map(_with_facts, message.items)))


def _with_facts(item: Item) -> Item:
    try:
        name, facts = msgspec.convert(item.facts, tuple[str, Any])
        return replace(item, facts=msgspec.convert(facts, FACTS[name]))
    except (ValueError, KeyError):
        return replace(item, facts=None)
