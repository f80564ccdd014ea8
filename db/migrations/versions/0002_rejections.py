"""The number of genomes that were rejected before each birth, and its sum for each run.

The script of a released revision is never changed; the newest schema is in ``germline.db.schema``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table ``rejection`` and replaces the view ``v_runs``."""
    op.create_table(
        "rejection",
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("birth", sa.Integer, nullable=False),
        sa.Column("genomes", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "birth", name=op.f("pk_rejection")),
        sa.ForeignKeyConstraint(
            ["run_id", "birth"], ["individual.run_id", "individual.birth"], name=op.f("fk_rejection_run_id_birth")
        ),
        sa.CheckConstraint("genomes > 0", name=op.f("ck_rejection_genomes")),
        sqlite_with_rowid=False,
    )
    op.execute("DROP VIEW v_runs")
    op.execute(_V_RUNS)


_BEST = """
    SELECT b.id FROM evaluation b
    WHERE b.run_id = r.id AND b.task = r.task AND b.status = 'ok' AND b.rung = 0 AND b.seed = 0
    ORDER BY b.fitness DESC NULLS LAST, b.birth LIMIT 1
"""
_V_RUNS = f"""
CREATE VIEW v_runs AS
SELECT r.name, r.kind, r.task, r.preset, r.seed, r.status,
    (SELECT count(*) FROM individual i WHERE i.run_id = r.id) AS births,
    (SELECT count(*) FROM evaluation e WHERE e.run_id = r.id) AS evaluations,
    (SELECT count(i.cached_from) FROM individual i WHERE i.run_id = r.id) AS cache_hits,
    (SELECT count(*) FROM evaluation e WHERE e.run_id = r.id AND e.status <> 'ok') AS failures,
    (SELECT coalesce(sum(j.genomes), 0) FROM rejection j WHERE j.run_id = r.id) AS rejected,
    r.seconds, best.birth AS best_birth, best.fitness AS best_fitness, r.owner, r.created
FROM run r
LEFT JOIN evaluation best ON best.id = ({_BEST})
"""
