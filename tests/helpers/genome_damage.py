"""Damage of stored differences, as a file from elsewhere may have it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from germline.db.genomes.difference import LONGEST

_CHILDREN = "base IS NOT NULL"

DAMAGES = {
    "a cycle of itself": f"UPDATE genome SET base = digest WHERE {_CHILDREN}",
    "a cycle of two": (
        "UPDATE genome SET depth = 1, base = (SELECT o.digest FROM genome o WHERE o.digest <> genome.digest AND"
        f" o.kind = genome.kind AND o.base IS NOT NULL ORDER BY o.digest LIMIT 1) WHERE {_CHILDREN}"
    ),
    "a missing base": f"UPDATE genome SET base = 'ffffffffffffffffffffffffffffffff' WHERE {_CHILDREN}",
    "a base of another kind": "UPDATE genome SET kind = 'architecture' WHERE base IS NULL AND kind <> 'architecture'",
    "a base that is no text": f"UPDATE genome SET base = x'00ff' WHERE {_CHILDREN}",
    "a whole text that is no text": "UPDATE genome SET text = x'ff' WHERE base IS NULL",
    "a depth of nothing": f"UPDATE genome SET depth = NULL WHERE {_CHILDREN}",
    "a depth below 1": f"UPDATE genome SET depth = 0 WHERE {_CHILDREN}",
    "a wrong depth": f"UPDATE genome SET depth = depth + 8 WHERE {_CHILDREN}",
    "a huge depth": f"UPDATE genome SET depth = 9223372036854775807 WHERE {_CHILDREN}",
    "a huge head": f"UPDATE genome SET head = 9223372036854775807 WHERE {_CHILDREN}",
    "a negative tail": f"UPDATE genome SET tail = -1 WHERE {_CHILDREN}",
    "a head that is no number": f"UPDATE genome SET head = 'all' WHERE {_CHILDREN}",
    "a text that is no text": f"UPDATE genome SET text = x'ff' WHERE {_CHILDREN}",
}
"""Statements by what they do; after each no difference can be read."""


def damage(path: Path, statement: str) -> None:
    """Runs a statement behind the store's back; it has to change rows."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(statement).rowcount >= 1
        connection.commit()


def blow_up(path: Path, kind: str) -> None:
    """Makes each difference of a kind stand for the longest text that a difference may give."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO genome (digest, kind, fingerprint, text) VALUES ('root', ?, 'root', ?)", (kind, "x" * LONGEST)
        )
        changed = connection.execute(
            "UPDATE genome SET base = 'root', depth = 1, head = ?, tail = 0, text = '' WHERE kind = ? AND"
            " digest <> 'root'",
            (LONGEST, kind),
        )
        assert changed.rowcount >= 1
        connection.commit()
