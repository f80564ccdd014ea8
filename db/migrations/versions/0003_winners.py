"""The winner of a run after each complete block and at the end of a budget.

The script of a released revision is never changed; the newest schema is in ``germline.db.schema``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table ``winner``, empty: resuming a run adds the winners of its earlier blocks."""
    op.create_table(
        "winner",
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("block", sa.Integer, nullable=False),
        sa.Column("closing", sa.Boolean, nullable=False),
        sa.Column("birth", sa.Integer),
        sa.PrimaryKeyConstraint("run_id", "block", "closing", name=op.f("pk_winner")),
        sa.ForeignKeyConstraint(
            ["run_id", "birth"], ["individual.run_id", "individual.birth"], name=op.f("fk_winner_run_id_birth")
        ),
        sa.CheckConstraint("block >= 0 OR (closing AND block = -1)", name=op.f("ck_winner_block")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_winner_run_id")),
        sqlite_with_rowid=False,
    )
