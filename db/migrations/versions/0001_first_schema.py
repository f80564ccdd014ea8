"""The first schema.

The script of a released revision is never changed; the newest schema is in ``germline.db.schema``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables and views."""
    _runs()
    _individuals()
    _evaluations()
    for view in (_V_BEST, _V_LINEAGE, _V_FAILURES, _V_RUNS):
        op.execute(view)


def _runs() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("preset", sa.Text, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.CheckConstraint("status IN ('running', 'stopped', 'finished', 'failed')", name=op.f("ck_run_status")),
        sa.UniqueConstraint("name", name=op.f("uq_run_name")),
    )
    op.create_table(
        "control",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("handled", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_control")),
        sa.CheckConstraint("request IN ('stop', 'pause')", name=op.f("ck_control_request")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_control_run_id")),
    )
    op.create_index(op.f("ix_control_run_id"), "control", ["run_id"])


def _individuals() -> None:
    op.create_table(
        "genome",
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_genome")),
    )
    op.create_table(
        "individual",
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("birth", sa.Integer, nullable=False),
        sa.Column("block", sa.Integer, nullable=False),
        sa.Column("genome", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("cached_from", sa.Integer),
        sa.PrimaryKeyConstraint("run_id", "birth", name=op.f("pk_individual")),
        sa.ForeignKeyConstraint(
            ["run_id", "cached_from"],
            ["individual.run_id", "individual.birth"],
            name=op.f("fk_individual_run_id_cached_from"),
        ),
        sa.CheckConstraint("birth >= 0", name=op.f("ck_individual_birth")),
        sa.CheckConstraint("cached_from < birth", name=op.f("ck_individual_cached_from")),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_individual_run_id")),
        sa.ForeignKeyConstraint(["genome"], ["genome.digest"], name=op.f("fk_individual_genome")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_individual_run_id_cached_from"), "individual", ["run_id", "cached_from"])
    op.create_table(
        "parentage",
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("birth", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("parent", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "birth", "position", name=op.f("pk_parentage")),
        sa.ForeignKeyConstraint(
            ["run_id", "birth"], ["individual.run_id", "individual.birth"], name=op.f("fk_parentage_run_id_birth")
        ),
        sa.ForeignKeyConstraint(
            ["run_id", "parent"], ["individual.run_id", "individual.birth"], name=op.f("fk_parentage_run_id_parent")
        ),
        sa.CheckConstraint("parent < birth", name=op.f("ck_parentage_parent")),
        sqlite_with_rowid=False,
    )


def _evaluations() -> None:
    op.create_table(
        "evaluation",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("birth", sa.Integer, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("rung", sa.Integer, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("fitness", sa.Float),
        sa.Column("objectives", sa.Text, nullable=False),
        sa.Column("measures", sa.Text, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("created", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation")),
        sa.UniqueConstraint(
            "run_id",
            "fingerprint",
            "task",
            "rung",
            "seed",
            name=op.f("uq_evaluation_run_id_fingerprint_task_rung_seed"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id", "birth"], ["individual.run_id", "individual.birth"], name=op.f("fk_evaluation_run_id_birth")
        ),
        sa.CheckConstraint(
            "status IN ('ok', 'diverged', 'rejected', 'timeout', 'oom', 'crashed')", name=op.f("ck_evaluation_status")
        ),
        sa.CheckConstraint("fitness IS NULL OR status = 'ok'", name=op.f("ck_evaluation_fitness")),
    )
    op.create_index(
        op.f("ix_evaluation_best"),
        "evaluation",
        ["run_id", "task", "status", "rung", "seed", "fitness", "birth"],
    )
    op.create_index(op.f("ix_evaluation_run_id_id"), "evaluation", ["run_id", "id"])
    op.create_table(
        "artifact",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("birth", sa.Integer, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_artifact")),
        sa.ForeignKeyConstraint(
            ["run_id", "birth"], ["individual.run_id", "individual.birth"], name=op.f("fk_artifact_run_id_birth")
        ),
    )


_BEST = """
    SELECT b.id FROM evaluation b
    WHERE b.run_id = r.id AND b.task = r.task AND b.status = 'ok' AND b.rung = 0 AND b.seed = 0
    ORDER BY b.fitness DESC NULLS LAST, b.birth LIMIT 1
"""

_V_BEST = f"""
CREATE VIEW v_best AS
SELECT r.name AS run, e.birth, e.fitness, e.objectives, e.measures, i.operator, i.fingerprint, g.text AS genome
FROM run r
JOIN evaluation e ON e.id = ({_BEST})
JOIN individual i ON i.run_id = r.id AND i.birth = e.birth
JOIN genome g ON g.digest = i.genome
"""

_V_LINEAGE = """
CREATE VIEW v_lineage AS
SELECT r.name AS run, i.birth, p.parent, i.operator, e.fitness, f.fitness AS parent_fitness
FROM run r
JOIN individual i ON i.run_id = r.id
LEFT JOIN evaluation e ON e.run_id = r.id AND e.fingerprint = i.fingerprint
    AND e.task = r.task AND e.rung = 0 AND e.seed = 0
LEFT JOIN parentage p ON p.run_id = r.id AND p.birth = i.birth
LEFT JOIN individual j ON j.run_id = r.id AND j.birth = p.parent
LEFT JOIN evaluation f ON f.run_id = r.id AND f.fingerprint = j.fingerprint
    AND f.task = r.task AND f.rung = 0 AND f.seed = 0
"""

_V_FAILURES = """
CREATE VIEW v_failures AS
SELECT r.name AS run, e.birth, e.status, e.error, e.rung, e.seed
FROM run r
JOIN evaluation e ON e.run_id = r.id
WHERE e.status <> 'ok'
"""

_V_RUNS = f"""
CREATE VIEW v_runs AS
SELECT r.name, r.kind, r.task, r.preset, r.seed, r.status,
    (SELECT count(*) FROM individual i WHERE i.run_id = r.id) AS births,
    (SELECT count(*) FROM evaluation e WHERE e.run_id = r.id) AS evaluations,
    (SELECT count(i.cached_from) FROM individual i WHERE i.run_id = r.id) AS cache_hits,
    (SELECT count(*) FROM evaluation e WHERE e.run_id = r.id AND e.status <> 'ok') AS failures,
    r.seconds, best.birth AS best_birth, best.fitness AS best_fitness, r.owner, r.created
FROM run r
LEFT JOIN evaluation best ON best.id = ({_BEST})
"""
