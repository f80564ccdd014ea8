"""Runs as a whole: creating, listing, naming, tagging and deleting them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, text

from germline.db import exact_json, from_rows, owner, run_list, runs, tags, to_rows
from germline.db.errors import DamagedDatabase, RecordConflict, RunExists
from germline.db.records import RunRecord, RunSummary
from germline.db.store.base import BaseStore

_NAMING_ATTEMPTS: Final = 1000
"""How often a run without a name tries to take the next number: each conflict means that another process took it."""


class RunStore(BaseStore):
    """The part of the store for runs as a whole. The SQL is in `germline.db.runs` and `germline.db.run_list`."""

    def create_run(
        self,
        name: str | None,
        kind: str,
        task: str,
        preset: str,
        seed: int,
        config: Mapping[str, Any],
        environment: Mapping[str, Any],
    ) -> RunRecord:
        """Adds a run that the calling process owns.

        Args:
            name: of the run; None: the first unused of ``KIND-1``, ``KIND-2``, …
            kind: of genome, such as ``optimizer``.
            task: the name of the run's own task.
            preset: the name of the preset that the config was made from.
            seed: of the run, which decides its lineage.
            config: all that decides the run, as plain JSON.
            environment: the machine and the versions of packages, as plain JSON.

        Raises:
            RunExists: a run has this name already.
            RecordConflict: the server refuses the row for another reason than its name.
            InvalidRecord: the name could be read as a path or RUN:BIRTH, the seed is negative or does not fit in 64
                bits with its sign, or the config or environment is not plain JSON.
        """
        values = {
            "kind": to_rows.checked_text(kind, "the kind of a run"),
            "task": to_rows.checked_text(task, "the task of a run"),
            "preset": to_rows.checked_text(preset, "the preset of a run"),
            "seed": to_rows.checked_seed(seed),
            "config": exact_json.dump_plain(config, "the config of a run"),
            "environment": exact_json.dump_plain(environment, "the environment of a run"),
            "status": "running",
            "owner": owner.this_process(),
            "created": to_rows.now(),
            "seconds": 0.0,
        }
        if name is not None:
            to_rows.checked_name(name)
        for attempt in range(_NAMING_ATTEMPTS):
            try:
                record = self._write(runs.create, name, values)
                break
            except RecordConflict as error:
                if name is not None:
                    raise RunExists(f"a run named {name!r} exists already: choose another name") from error
                # Two processes on a server can choose the same number; the second to write takes the next number.
                if attempt == _NAMING_ATTEMPTS - 1:
                    raise
        self._database.use_write_ahead_log()
        return record

    def run(self, name: str) -> RunRecord:
        """The run of this name.

        Raises:
            UnknownRun: no run has that name.
        """
        return self._read_run(name, lambda connection, row: from_rows.run_record(row))

    def runs(self) -> list[RunSummary]:
        """All runs with their progress, oldest first."""
        rows = self._read(lambda connection: from_rows.fetch(connection.execute(text(run_list.QUERY))))
        return [run_list.summary(row) for row in rows]

    def readable_runs(self) -> tuple[list[RunSummary], list[str]]:
        """The runs that can be read, oldest first, and a line for each run whose row is damaged."""
        rows = self._read(lambda connection: from_rows.fetch(connection.execute(text(run_list.QUERY))))
        runs, problems = [], []
        for row in rows:
            try:
                runs.append(run_list.summary(row))
            except DamagedDatabase as error:
                problems.append(str(error))
        return runs, problems

    def summary(self, run_name: str) -> RunSummary:
        """The progress of the run of this name.

        Raises:
            UnknownRun: no run has that name.
        """

        def read(connection: Connection, row: Row[Any]) -> RunSummary:
            rows = from_rows.fetch(connection.execute(text(run_list.QUERY_OF_RUN), {"run_id": row.id}))
            return next(run_list.summary(row) for row in rows)

        return self._read_run(run_name, read)

    def tag_run(self, name: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> tuple[str, ...]:
        """Adds tags to a run and removes others. Returns the tags that it has then, in alphabetical order.

        Raises:
            UnknownRun: no run has that name.
            InvalidRecord: a tag has other characters than letters, digits and ``_ . + / @ -``, or more than 64.
        """
        added = [tags.checked_tag(tag) for tag in add]
        return self._write(runs.tag, name, added, remove)

    def rename_run(self, name: str, new_name: str) -> None:
        """Gives a run another name; its records stay as they are.

        Raises:
            UnknownRun: no run has that name.
            RunBusy: a session of this process drives the run, or another process owns it and may be alive.
            RunExists: another run has the new name.
            InvalidRecord: the new name could be read as a path or RUN:BIRTH.
        """
        to_rows.checked_name(new_name)
        try:
            self._write(runs.rename, name, new_name, self._driven.includes)
        except RecordConflict as error:  # another process took the name at this moment
            raise RunExists(f"a run named {new_name!r} exists already: choose another name") from error

    def delete_run(self, name: str) -> int:
        """Removes a run with all its records, and the genomes and answers that no other run has or is based on. Returns
        the number of its births.

        Trainings of tuned comparisons stay: they belong to no run. The file keeps its size; later rows fill the room.

        Raises:
            UnknownRun: no run has that name.
            RunBusy: a session of this process drives the run, or another process owns it and may be alive.
        """
        return self._write(runs.delete, name, self._driven.includes)
