"""Versions know their parent and carry a note; datasets can be in the trash.

Columns only: SQLite would make a table anew for anything else, and take what refers to its rows along.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dataset_versions", sa.Column("parent", sa.Integer(), nullable=True))
    op.add_column("dataset_versions", sa.Column("note", sa.Text(), server_default="", nullable=False))
    op.add_column("datasets", sa.Column("trashed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("datasets", sa.Column("trashed_by", sa.Text(), nullable=True))
