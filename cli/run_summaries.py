"""The runs of a database, without a store.

SQLite files are read without SQLAlchemy, because its import would make `germline runs` slow.
"""

from germline.db import run_list
from germline.db.records import RunSummary


def all_runs(url: str) -> list[RunSummary]:
    """The runs of the database at `url`, oldest first."""
    summaries = run_list.runs(url)
    if summaries is None:
        from germline.cli.database import open_store  # imports SQLAlchemy, which only other databases need

        with open_store(url) as store:
            summaries = store.runs()
    return summaries
