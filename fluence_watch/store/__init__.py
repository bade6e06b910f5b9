"""What survives a restart: the state of every account, the history of alerts, the outbox."""

from fluence_watch.store.store import Store

__all__ = ["Store"]
