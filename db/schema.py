"""The tables of a database of runs, as the newest migration leaves them. The views are in ``views.py``.

Genomes are content-addressed: a text is stored once for all runs and births, whole or as the difference to that of
another genome, its base (``germline.db.genomes``). An evaluation belongs to a *fingerprint*
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
    # All are NULL if the text is whole; else it stands between the beginning and the end of the base's.
    Column("base", Text, ForeignKey("genome.digest")),
    Column("head", Integer),
    Column("tail", Integer),
    Column("depth", Integer),
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
