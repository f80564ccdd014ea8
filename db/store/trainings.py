"""Trainings of tuned comparisons."""

from collections.abc import Sequence

from germline.db import trainings
from germline.db.records import TrainingRecord
from germline.db.store.base import BaseStore


class TrainingStore(BaseStore):
    """The part of the store for trainings of tuned comparisons, which belong to no run, so that each is done only once.

    The SQL is in `germline.db.trainings`.
    """

    def add_trainings(self, task: str, version: str, rung: int, records: Sequence[TrainingRecord]) -> None:
        """Records trainings of tuned comparisons; one that is recorded already stays as it is.

        Args:
            task: the full name of the task.
            version: of all that decides the numbers.
            rung: of the task.
            records: at least one.

        Raises:
            InvalidRecord: a value cannot be stored.
        """
        self._add("trainings", trainings.add, trainings.rows(task, version, rung, records))

    def trainings(
        self, task: str, version: str, rung: int, keys: Sequence[tuple[str, int]]
    ) -> dict[tuple[str, int], TrainingRecord]:
        """The recorded trainings among those with the given texts and seeds, by text and seed.

        ``task``, ``version`` and ``rung`` are those under which they were added.
        """
        return self._read(trainings.find, task, version, rung, keys)
