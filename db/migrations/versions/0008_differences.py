"""Genomes as differences to others, and views that show their whole texts.

The script of a released revision is never changed; the newest schema is in ``germline.db.schema``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns, NULL for the texts that are there, which stay whole; replaces the view ``v_best``."""
    # In the definition of the column, since SQLite adds no constraint to a table that is there.
    op.execute("ALTER TABLE genome ADD COLUMN base TEXT CONSTRAINT fk_genome_base REFERENCES genome (digest)")
    for name in ("head", "tail", "depth"):
        op.add_column("genome", sa.Column(name, sa.Integer))
    op.execute("DROP VIEW v_best")
    op.execute(_V_BEST)
    op.execute(_V_GENOMES)


_BEST = """
    SELECT b.id FROM evaluation b
    WHERE b.run_id = r.id AND b.task = r.task AND b.status = 'ok' AND b.rung = 0 AND b.seed = 0
    ORDER BY b.fitness DESC NULLS LAST, b.birth LIMIT 1
"""
_TEXT = """
    WITH RECURSIVE part (step, base, head, tail, text) AS (
        SELECT 0, x.base, x.head, x.tail, x.text FROM genome x WHERE x.digest = {digest}
        UNION ALL
        SELECT p.step + 1, x.base, x.head, x.tail, x.text
        FROM part p JOIN genome x ON x.digest = p.base WHERE p.step < 80
    ), whole (step, text) AS (
        SELECT p.step, p.text FROM part p WHERE p.base IS NULL
        UNION ALL
        SELECT p.step, substr(w.text, 1, p.head) || p.text || substr(w.text, length(w.text) - p.tail + 1)
        FROM whole w JOIN part p ON p.step = w.step - 1
        WHERE p.head >= 0 AND p.tail >= 0 AND p.head + p.tail <= length(w.text)
    )
    SELECT w.text FROM whole w WHERE w.step = 0
"""

_V_BEST = f"""
CREATE VIEW v_best AS
SELECT r.name AS run, e.birth, e.fitness, e.objectives, e.measures, i.operator, i.fingerprint,
    ({_TEXT.format(digest="i.genome")}) AS genome
FROM run r
JOIN evaluation e ON e.id = ({_BEST})
JOIN individual i ON i.run_id = r.id AND i.birth = e.birth
"""
_V_GENOMES = f"""
CREATE VIEW v_genomes AS
SELECT g.digest, g.kind, g.fingerprint, ({_TEXT.format(digest="g.digest")}) AS text
FROM genome g
"""
