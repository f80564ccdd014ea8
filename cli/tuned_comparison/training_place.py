"""Where the trainings of a comparison are done, and where they are kept."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from germline.cli.errors import BadReference, UserError
from germline.cli.session_options import SessionOptions
from germline.cli.tuned_comparison.kept import StoreMemo, version_of
from germline.db.store import Store
from germline.evaluators.device import resolve as resolved_device
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.tasks.name_grammar import absolute_name
from germline.evaluators.tasks.registry import task_class
from germline.search.knob_tuning.class_box import ClassKnobs
from germline.search.run import make_executor
from germline.search.tuned_comparison.contender import Contender
from germline.search.tuned_comparison.trainings import Trainings

TIMEOUT = 600.0
"""Seconds that a pack may take on Ray for each multiple of the steps of rung 0."""
PACK, GPU_PACK = 16, 128
"""Trainings done together."""


@dataclass(frozen=True)
class TrainingPlace:
    """An executor for each task, and the database.

    Attributes:
        store: the database, where trainings are recorded as they are done, and not done again.
        session: workers, executor, device and Ray address.
        rung: whose steps lengths are multiples of.
        longest: the longest length.
        classes: for each class of torch by its name in the text of a training, what is imported; see `class_names`.
        stopped: polled between packs; once it returns True, `Stopped` is raised.
    """

    store: Store
    session: SessionOptions
    rung: int
    longest: float
    classes: Mapping[str, str]
    stopped: Callable[[], bool]

    @property
    def device(self) -> str:
        """`cpu` or `cuda`."""
        return resolved_device(self.session.device)

    @contextmanager
    def opened(self, task: str) -> Iterator[Trainings]:
        """Opens the trainings on a task."""
        session, chosen = self.session, compared_task(task, self.rung)
        options = {"rung": self.rung, "classes": dict(self.classes)}
        spec = EvaluatorSpec("optimizer-training", task, 0, session.device, options)
        workers = session.workers or (1 if chosen.light or session.executor == "inline" else os.cpu_count() or 1)
        timeout = TIMEOUT * 10**self.rung * max(1.0, self.longest)
        executor = make_executor(
            spec,
            workers,
            session.executor,  # type: ignore[arg-type]
            session.ray_address,
            timeout,
            self.stopped,
        )
        try:
            executor.wait_until_ready()
            memo = StoreMemo(self.store, task, version_of(chosen, task, self.device), self.rung)
            yield Trainings(executor, memo, PACK if self.device == "cpu" else GPU_PACK, self.stopped)
        finally:
            executor.close()


def compared_task(name: str, rung: int) -> type[TrainingTask]:
    """Returns the class of a training task that has held-out data and a rung.

    Raises:
        BadReference, UserError: it is none, or has none.
    """
    chosen = task_class(name)
    if not issubclass(chosen, TrainingTask):
        raise BadReference(f"expected a task for kind optimizer, got {name}, which is for {chosen.kind}")
    if not chosen.heldout:
        raise BadReference(f"expected a task with held-out data, got {name}; write for example --task digits-mlp")
    if rung >= len(chosen.rungs):
        last = len(chosen.rungs) - 1
        raise UserError(f"expected a rung of {name}, at most {last}, got {rung}; germline tasks lists them")
    return chosen


def class_names(contenders: Sequence[Contender]) -> dict[str, str]:
    """Returns for each class of torch, by its name in the text of a training, the name to import it by."""
    return {c.knobs.name: absolute_name(c.knobs.given) for c in contenders if isinstance(c.knobs, ClassKnobs)}
