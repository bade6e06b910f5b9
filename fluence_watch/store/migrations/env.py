"""Run by Alembic with the connection of `migrate.py`. Needs no file, logging set-up or URL."""

from alembic import context

from fluence_watch.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
