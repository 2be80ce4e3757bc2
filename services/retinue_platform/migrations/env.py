"""Run by Alembic for each command: the connection comes from `upgrade`, the tables from `tables`."""

from __future__ import annotations

from alembic import context

from retinue_platform.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    render_as_batch=True,  # SQLite changes a table by making it anew
)
with context.begin_transaction():
    context.run_migrations()
