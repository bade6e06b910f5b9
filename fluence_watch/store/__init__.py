"""Persistent state: the state of every account, the alert history, the outbox."""

from fluence_watch.store.store import Store

__all__ = ["Store"]
