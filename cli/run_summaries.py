"""The runs of a database, for commands that need not open a store.

SQLite files are read without SQLAlchemy, whose import alone would take longer than `germline runs` may.
"""

from germline.db import run_list
from germline.db.records import RunSummary


def all_runs(url: str) -> list[RunSummary]:
    """The runs of the database at `url`, oldest first."""
    summaries = run_list.runs(url)
    if summaries is None:
        # Not SQLite: it takes SQLAlchemy.
        from germline.cli.database import open_store

        with open_store(url) as store:
            summaries = store.runs()
    return summaries
