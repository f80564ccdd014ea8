"""What operators from outside have proposed, and their answers.

The script of a released revision is never changed; the newest schema is in ``germline.db.schema``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables ``answer`` and ``proposal``, empty."""
    op.create_table(
        "answer",
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("prompt_tokens", sa.Integer, nullable=False),
        sa.Column("answer_tokens", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_answer")),
    )
    op.create_table(
        "proposal",
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("birth", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "birth", "position", name=op.f("pk_proposal")),
        sa.CheckConstraint("status IN ('accepted', 'invalid', 'known', 'failed')", name=op.f("ck_proposal_status")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_proposal_run_id")),
        sa.ForeignKeyConstraint(["answer"], ["answer.digest"], name=op.f("fk_proposal_answer")),
        sqlite_with_rowid=False,
    )
