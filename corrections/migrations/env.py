"""Run by Alembic. The connection comes from `corrections.schema`, inside a transaction of its own."""

from __future__ import annotations

from alembic import context

from corrections.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
