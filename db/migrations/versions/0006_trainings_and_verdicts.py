"""The trainings of tuned comparisons, and their verdicts on individuals.

The script of a released revision is never changed; the newest schema is in ``germline.db.schema``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables ``training`` and ``verdict``, empty."""
    op.create_table(
        "training",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("rung", sa.Integer, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("fitness", sa.Float),
        sa.Column("measures", sa.Text, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("created", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training")),
        sa.UniqueConstraint(
            "digest", "seed", "task", "version", "rung", name=op.f("uq_training_digest_seed_task_version_rung")
        ),
    )
    op.create_table(
        "verdict",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("birth", sa.Integer, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdict")),
        sa.ForeignKeyConstraint(
            ["run_id", "birth"], ["individual.run_id", "individual.birth"], name=op.f("fk_verdict_run_id_birth")
        ),
    )
    op.create_index(op.f("ix_verdict_run_id_birth"), "verdict", ["run_id", "birth"])
