"""The sign of a fitness of zero, and the snapshot of a run's strategy.

A script of a released schema is never changed; ``germline.db.schema`` is the newest schema.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column and creates the table; a run that is resumed fills both."""
    op.add_column("evaluation", sa.Column("negative_zero", sa.Boolean))
    op.create_table(
        "snapshot",
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("block", sa.Integer, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_snapshot")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_snapshot_run_id")),
    )
