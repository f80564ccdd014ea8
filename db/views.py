"""The views of a database of runs, for other tools: Germline itself executes none of them."""

from typing import Final

_BEST: Final = """
    SELECT b.id FROM evaluation b
    WHERE b.run_id = r.id AND b.task = r.task AND b.status = 'ok' AND b.rung = 0 AND b.seed = 0
    ORDER BY b.fitness DESC NULLS LAST, b.birth LIMIT 1
"""

_TEXT: Final = """
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
"""The whole text of a genome: the rows of its chain of bases, then their texts, from the whole one on."""

VIEWS: Final = {
    "v_best": f"""
CREATE VIEW v_best AS
SELECT r.name AS run, e.birth, e.fitness, e.objectives, e.measures, i.operator, i.fingerprint,
    ({_TEXT.format(digest="i.genome")}) AS genome
FROM run r
JOIN evaluation e ON e.id = ({_BEST})
JOIN individual i ON i.run_id = r.id AND i.birth = e.birth
""",
    "v_genomes": f"""
CREATE VIEW v_genomes AS
SELECT g.digest, g.kind, g.fingerprint, ({_TEXT.format(digest="g.digest")}) AS text
FROM genome g
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
