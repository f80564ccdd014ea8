"""The tables and views of a database of runs, as the newest migration leaves them.

Genomes are content-addressed: a text is stored once for all runs and births. An evaluation belongs to a *fingerprint*
in a run, so that a cache hit needs no row in ``evaluation``. The outcome of an individual is the evaluation of its
fingerprint on the run's own task at rung 0, seed 0; all other evaluations are reviews.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

run = Table(
    "run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("preset", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("config", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("owner", Text),
    Column("created", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    CheckConstraint("status IN ('running', 'stopped', 'finished', 'failed')", name="status"),
)

genome = Table(
    "genome",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("text", Text, nullable=False),
)

individual = Table(
    "individual",
    metadata,
    Column("run_id", Integer, ForeignKey("run.id"), nullable=False),
    Column("birth", Integer, nullable=False),
    Column("block", Integer, nullable=False),
    Column("genome", Text, ForeignKey("genome.digest"), nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("cached_from", Integer),
    PrimaryKeyConstraint("run_id", "birth"),
    ForeignKeyConstraint(["run_id", "cached_from"], ["individual.run_id", "individual.birth"]),
    CheckConstraint("birth >= 0", name="birth"),
    CheckConstraint("cached_from < birth", name="cached_from"),
    Index(None, "run_id", "cached_from"),  # counts births and cache hits without reading the wider rows
    sqlite_with_rowid=False,
)

parentage = Table(
    "parentage",
    metadata,
    Column("run_id", Integer, nullable=False),
    Column("birth", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("parent", Integer, nullable=False),
    PrimaryKeyConstraint("run_id", "birth", "position"),
    ForeignKeyConstraint(["run_id", "birth"], ["individual.run_id", "individual.birth"]),
    ForeignKeyConstraint(["run_id", "parent"], ["individual.run_id", "individual.birth"]),
    CheckConstraint("parent < birth", name="parent"),
    sqlite_with_rowid=False,
)

rejection = Table(
    "rejection",
    metadata,
    Column("run_id", Integer, nullable=False),
    Column("birth", Integer, nullable=False),
    Column("genomes", Integer, nullable=False),
    PrimaryKeyConstraint("run_id", "birth"),
    ForeignKeyConstraint(["run_id", "birth"], ["individual.run_id", "individual.birth"]),
    CheckConstraint("genomes > 0", name="genomes"),
    sqlite_with_rowid=False,
)

evaluation = Table(
    "evaluation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", Integer, nullable=False),
    Column("birth", Integer, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("rung", Integer, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("fitness", Float),
    Column("objectives", Text, nullable=False),
    Column("measures", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("worker", Text, nullable=False),
    Column("error", Text),
    Column("created", Text, nullable=False),
    Column("negative_zero", Boolean),  # True if the fitness is -0.0, which SQLite stores as 0.0; else NULL
    UniqueConstraint("run_id", "fingerprint", "task", "rung", "seed"),
    ForeignKeyConstraint(["run_id", "birth"], ["individual.run_id", "individual.birth"]),
    CheckConstraint("status IN ('ok', 'diverged', 'rejected', 'timeout', 'oom', 'crashed')", name="status"),
    CheckConstraint("fitness IS NULL OR status = 'ok'", name="fitness"),
    Index("ix_evaluation_best", "run_id", "task", "status", "rung", "seed", "fitness", "birth"),
    Index(None, "run_id", "id"),
)

winner = Table(
    "winner",
    metadata,
    Column("run_id", Integer, ForeignKey("run.id"), nullable=False),
    Column("block", Integer, nullable=False),
    Column("closing", Boolean, nullable=False),
    Column("birth", Integer),
    PrimaryKeyConstraint("run_id", "block", "closing"),
    ForeignKeyConstraint(["run_id", "birth"], ["individual.run_id", "individual.birth"]),
    CheckConstraint("block >= 0 OR (closing AND block = -1)", name="block"),
    sqlite_with_rowid=False,
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("run_id", Integer, ForeignKey("run.id"), primary_key=True, autoincrement=False),
    Column("block", Integer, nullable=False),
    Column("content", Text, nullable=False),
)

artifact = Table(
    "artifact",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", Integer, nullable=False),
    Column("birth", Integer, nullable=False),
    Column("target", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("created", Text, nullable=False),
    ForeignKeyConstraint(["run_id", "birth"], ["individual.run_id", "individual.birth"]),
)

simplified = Table(
    "simplified",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", Integer, nullable=False),
    Column("birth", Integer, nullable=False),
    Column("genome", Text, ForeignKey("genome.digest"), nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("steps", Text, nullable=False),
    Column("created", Text, nullable=False),
    ForeignKeyConstraint(["run_id", "birth"], ["individual.run_id", "individual.birth"]),
    Index(None, "run_id", "birth"),
)

training = Table(
    "training",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("task", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("rung", Integer, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("fitness", Float),
    Column("measures", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("error", Text),
    Column("created", Text, nullable=False),
    UniqueConstraint("digest", "seed", "task", "version", "rung"),
)

verdict = Table(
    "verdict",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", Integer, nullable=False),
    Column("birth", Integer, nullable=False),
    Column("content", Text, nullable=False),
    Column("created", Text, nullable=False),
    ForeignKeyConstraint(["run_id", "birth"], ["individual.run_id", "individual.birth"]),
    Index(None, "run_id", "birth"),
)

answer = Table(
    "answer",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("request", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("answer_tokens", Integer, nullable=False),
    Column("text", Text, nullable=False),
)

proposal = Table(
    "proposal",
    metadata,
    Column("run_id", Integer, ForeignKey("run.id"), nullable=False),
    Column("birth", Integer, nullable=False),  # an answer is recorded before the birth that it is for
    Column("position", Integer, nullable=False),
    Column("operator", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("calls", Integer, nullable=False),
    Column("answer", Text, ForeignKey("answer.digest"), nullable=False),
    PrimaryKeyConstraint("run_id", "birth", "position"),
    CheckConstraint("status IN ('accepted', 'invalid', 'known', 'failed')", name="status"),
    sqlite_with_rowid=False,
)

control = Table(
    "control",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", Integer, ForeignKey("run.id"), nullable=False, index=True),
    Column("request", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("handled", Boolean, nullable=False),
    CheckConstraint("request IN ('stop', 'pause')", name="request"),
)

_BEST: Final = """
    SELECT b.id FROM evaluation b
    WHERE b.run_id = r.id AND b.task = r.task AND b.status = 'ok' AND b.rung = 0 AND b.seed = 0
    ORDER BY b.fitness DESC NULLS LAST, b.birth LIMIT 1
"""

VIEWS: Final = {
    "v_best": f"""
CREATE VIEW v_best AS
SELECT r.name AS run, e.birth, e.fitness, e.objectives, e.measures, i.operator, i.fingerprint, g.text AS genome
FROM run r
JOIN evaluation e ON e.id = ({_BEST})
JOIN individual i ON i.run_id = r.id AND i.birth = e.birth
JOIN genome g ON g.digest = i.genome
""",
    "v_lineage": """
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
""",
    "v_failures": """
CREATE VIEW v_failures AS
SELECT r.name AS run, e.birth, e.status, e.error, e.rung, e.seed
FROM run r
JOIN evaluation e ON e.run_id = r.id
WHERE e.status <> 'ok'
""",
    "v_runs": f"""
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
""",
}
"""The views by name, in the order of their creation: a read interface for any SQL tool."""
