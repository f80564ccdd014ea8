"""The store: writes and queries the records of runs.

`Store` has no methods of its own. Each group of them is a base class in a file of its own:

| file | methods for |
|---|---|
| `base.py` | the database as a whole: opening, closing, checking, copying it, and the transactions of all others |
| `runs.py` | runs: creating, listing, naming, tagging, deleting them |
| `sessions.py` | the process that drives a run: claims, releases, requests to stop |
| `recording.py` | what that process records: births, evaluations, winners, snapshots |
| `history.py` | the same read back, to resume and to replay, or as a table |
| `proposals.py` | what operators from outside proposed |
| `individuals.py` | individuals with their outcomes: by birth, rank, block, ancestry, or as winners |
| `charts.py` | numbers over all births, for charts and statistics |
| `results.py` | what is kept with an individual: exports, its simplified form, verdicts |
| `trainings.py` | trainings of tuned comparisons, which belong to no run |

A method checks its arguments and makes a transaction. SQL that is long or used by several methods is in the modules of
`germline.db`: `runs`, `run_list`, `lineage`, `columns`, `proposals`, `trainings`.
"""

from germline.db.store.charts import ChartStore
from germline.db.store.history import HistoryStore
from germline.db.store.individuals import IndividualStore
from germline.db.store.proposals import ProposalStore
from germline.db.store.recording import RecordingStore
from germline.db.store.results import ResultStore
from germline.db.store.runs import RunStore
from germline.db.store.sessions import SessionStore
from germline.db.store.trainings import TrainingStore


class Store(
    RunStore,
    SessionStore,
    RecordingStore,
    HistoryStore,
    ProposalStore,
    IndividualStore,
    ChartStore,
    ResultStore,
    TrainingStore,
):
    """A database of runs, in a SQLite file or on a PostgreSQL server.

    Guarantees, the same on every database:

    - A method that writes is one transaction. When it returns, its rows survive kill -9 and, on a local disk, power
      loss; when it raises, none of its rows is recorded.
    - A run has one owner at a time, the process that claimed it. That only the owner adds to the run, and adds births
      in their order 0, 1, 2, …, is left to the caller.
    - A birth is added once, after its parents. An evaluation is unique per (run, fingerprint, task, rung, seed).
      Recorded individuals, evaluations and proposals never change. The only rows that are ever replaced are the winner
      of a closing, by a later closing after the same block, and the snapshot of a run, by a later one. A search removes
      no run but its own without individuals; ``delete_run`` is for people.
    - The *outcome* of an individual is the evaluation of its fingerprint on the run's own task at rung 0, seed 0; so a
      cache hit has the outcome of the birth that it was cached from. All other evaluations are reviews, which do not
      change the best.
    - The *best* has the highest fitness among ok outcomes, and among equals the lowest birth.
    - The *winner* is the individual that the search hands over. The driver records it with each complete block and at
      the end of a budget (a *closing*). A block is complete if its winner is recorded. The winner of a later block
      replaces that of an earlier block, and a closing that of the block before it.
    - The name and the tags of a run are for people; they can be changed, and nothing depends on them.
    - Floats are preserved exactly, and records are frozen.
    - Reading takes no write lock, and an iterator holds no transaction between its items, so rows can be written
      meanwhile.
    - A method waits while the database is locked, and reports each wait to ``on_wait``.

    Every method raises a subclass of ``DatabaseError`` if the database is damaged, locked or unreachable.

    Args:
        url: a path, ``sqlite:///path`` or ``postgresql://…``.
        create: create the database if it is missing.
        on_wait: called with one line for the user each time the lock of another process delays a method.
        busy_seconds: how long the database itself waits for a lock before it reports it.
        wait_seconds: total time after which a method stops waiting and raises ``DatabaseLocked``.
        read_only: open an existing database for reading alone; a method that writes raises ``ReadOnlyDatabase``.

    Raises:
        DatabaseError: one of its subclasses BadUrl, BadPath, MissingDatabase, NotADatabase, ForeignDatabase,
            AlteredSchema, SchemaOutdated, SchemaNewer, ReadOnlyDatabase, DatabaseLocked, DiskFull, Unreachable. Nothing
            has been written but, perhaps, an empty file.
    """
