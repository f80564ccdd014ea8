"""What is kept with an individual after its search: exported files, its simplified form, verdicts on it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from germline.db import exact_json, from_rows, runs, to_rows
from germline.db.genomes.reading import GenomeTexts
from germline.db.genomes.writing import NewGenome, add_genomes
from germline.db.records import ArtifactRecord, SimplifiedRecord, VerdictRecord
from germline.db.schema import artifact, simplified, verdict
from germline.db.store.base import BaseStore


class ResultStore(BaseStore):
    """The part of the store for what is made of individuals, and said of them, after their search."""

    def add_artifact(self, run_name: str, birth: int, target: str, path: str, sha256: str) -> None:
        """Records that an individual was exported for ``target`` to the file ``path`` with the hash ``sha256``.

        Raises:
            UnknownRun: no run has that name.
            RecordConflict: the run has no such birth.
            InvalidRecord: a value cannot be stored.
        """
        values = {
            "birth": to_rows.checked_integer(birth, "a birth", bits=32),
            "target": to_rows.checked_text(target, "a target"),
            "path": to_rows.checked_text(path, "a path"),
            "sha256": to_rows.checked_text(sha256, "a hash"),
            "created": to_rows.now(),
        }

        def add(connection: Connection) -> None:
            connection.execute(insert(artifact).values(run_id=runs.row_of(connection, run_name).id, **values))

        self._add(f"an artifact of birth {birth} of run {run_name!r}", add)

    def artifacts(self, run_name: str) -> list[ArtifactRecord]:
        """The files exported from a run, oldest first.

        Raises:
            UnknownRun: no run has that name.
        """

        def read(connection: Connection, row: Row[Any]) -> list[ArtifactRecord]:
            columns = from_rows.columns_of(ArtifactRecord, artifact)
            query = select(*columns).where(artifact.c.run_id == row.id).order_by(artifact.c.id)
            return [from_rows.artifact_record(values) for values in from_rows.fetch(connection.execute(query))]

        return self._read_run(run_name, read)

    def add_simplified(
        self, run_name: str, birth: int, genome_text: str, fingerprint: str, steps: Mapping[str, Any]
    ) -> bool:
        """Records what an individual became by simplification. Returns False, and records nothing, if the latest record
        of the individual has the same genome and the same steps.

        Args:
            run_name: the name of the run.
            birth: of the individual.
            genome_text: the simplified genome.
            fingerprint: of the simplified genome.
            steps: how it came about, as plain JSON.

        Raises:
            UnknownRun: no run has that name.
            RecordConflict: the run has no such birth.
            InvalidRecord: a value cannot be stored.
        """
        values = {
            "birth": to_rows.checked_integer(birth, "a birth", bits=32),
            "fingerprint": to_rows.checked_text(fingerprint, "a fingerprint"),
            "steps": exact_json.dump_plain(steps, "the steps of a simplification"),
            "created": to_rows.now(),
        }
        to_rows.checked_text(genome_text, "a simplified genome")

        def add(connection: Connection) -> bool:
            row = runs.row_of(connection, run_name)
            key = to_rows.digest(row.kind, genome_text)
            latest = connection.execute(
                select(simplified.c.genome, simplified.c.steps)
                .where(simplified.c.run_id == row.id, simplified.c.birth == values["birth"])
                .order_by(simplified.c.id.desc())
                .limit(1)
            ).all()
            if [tuple(record) for record in latest] == [(key, values["steps"])]:
                return False
            add_genomes(connection, row.kind, [NewGenome(key, fingerprint, genome_text, None)], self._recent_texts)
            connection.execute(insert(simplified).values(run_id=row.id, genome=key, **values))
            return True

        return self._add(f"what birth {birth} of run {run_name!r} became by simplification", add)

    def simplified(self, run_name: str, birth: int) -> SimplifiedRecord | None:
        """What an individual became by its latest simplification; None if none is recorded.

        Raises:
            UnknownRun: no run has that name.
        """

        def read(connection: Connection, row: Row[Any]) -> SimplifiedRecord | None:
            columns = from_rows.columns_of(SimplifiedRecord, simplified)
            query = (
                select(*columns)
                .where(simplified.c.run_id == row.id, simplified.c.birth == birth)
                .order_by(simplified.c.id.desc())
                .limit(1)
            )
            row_found = connection.execute(query).first()
            if row_found is None:
                return None
            texts = GenomeTexts(kept=True)
            texts.load(connection, [row_found.genome])
            return from_rows.simplified_record(list(row_found), texts)

        return self._read_run(run_name, read)

    def add_verdict(self, run_name: str, birth: int, content: Mapping[str, Any]) -> None:
        """Records the verdict of a tuned comparison on an individual. ``content`` is plain JSON.

        Raises:
            UnknownRun: no run has that name.
            RecordConflict: the run has no such birth.
            InvalidRecord: a value cannot be stored.
        """
        values = {
            "birth": to_rows.checked_integer(birth, "a birth", bits=32),
            "content": exact_json.dump_plain(content, "a verdict"),
            "created": to_rows.now(),
        }

        def add(connection: Connection) -> None:
            connection.execute(insert(verdict).values(run_id=runs.row_of(connection, run_name).id, **values))

        self._add(f"a verdict on birth {birth} of run {run_name!r}", add)

    def verdict(self, run_name: str, birth: int) -> VerdictRecord | None:
        """The latest verdict on an individual; None if none is recorded.

        Raises:
            UnknownRun: no run has that name.
        """

        def read(connection: Connection, row: Row[Any]) -> VerdictRecord | None:
            query = (
                select(*from_rows.columns_of(VerdictRecord, verdict))
                .where(verdict.c.run_id == row.id, verdict.c.birth == birth)
                .order_by(verdict.c.id.desc())
                .limit(1)
            )
            rows = from_rows.fetch(connection.execute(query))
            return next((from_rows.verdict_record(values) for values in rows), None)

        return self._read_run(run_name, read)
