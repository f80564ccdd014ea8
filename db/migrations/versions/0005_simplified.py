"""The simplified programs of individuals.

The script of a released revision is never changed; the newest schema is in ``germline.db.schema``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table ``simplified``, empty."""
    op.create_table(
        "simplified",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("birth", sa.Integer, nullable=False),
        sa.Column("genome", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("steps", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_simplified")),
        sa.ForeignKeyConstraint(
            ["run_id", "birth"], ["individual.run_id", "individual.birth"], name=op.f("fk_simplified_run_id_birth")
        ),
        sa.ForeignKeyConstraint(["genome"], ["genome.digest"], name=op.f("fk_simplified_genome")),
    )
    op.create_index(op.f("ix_simplified_run_id_birth"), "simplified", ["run_id", "birth"])
