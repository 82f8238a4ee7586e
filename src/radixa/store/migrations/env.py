"""Run by Alembic: applies the migrations over the connection that `database.migrate` hands in."""

from __future__ import annotations

from alembic import context

from radixa.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
