"""Scores optimizer programs on several tasks, cheap ones first."""

from collections.abc import Sequence
from typing import Any

from germline.evaluators.device import resolve
from germline.evaluators.evaluator import Evaluator, Rejected
from germline.evaluators.hurdle import Limit, limit_for
from germline.evaluators.optimizer.evaluator import OptimizerEvaluator
from germline.evaluators.optimizer.reference import Reference, references_from
from germline.evaluators.optimizer.several_tasks import GAIN, SeveralTasks
from germline.evaluators.outcome import Outcome, mean_of
from germline.evaluators.task import NoHeldout, Split
from germline.evaluators.tasks.registry import task_class
from germline.programs.optimizer import Program


class SeveralEvaluator(Evaluator[Program]):
    """Scores optimizer programs on several tasks; the fitness is the mean of the gains over the tasks' references.

    The tasks are trained one after the other, cheap ones first. A program that fails on a task sees no further task.
    After each task but the last, the measure `hurdle` is set to minus the smallest gain so far. A program is rejected,
    and sees no further task, if `hurdle > limit + margin`, where `limit` is the argument of `score`.

    Args:
        task: the names of several tasks (`germline.evaluators.tasks.name_grammar`).
        seed, device: see `OptimizerEvaluator`.
        references: the data of the `Reference` of each task, in the order of the names, from a run's config.
        margin: see above; None: no program is rejected for its gain.
        options: further options of `OptimizerEvaluator`, for each task.

    Raises:
        TypeError: the name is that of a single task.
        BadReferences: the references are not as recorded.
        UnknownTask, InvalidTask, NoDevice: see `OptimizerEvaluator`.
    """

    def __init__(
        self,
        task: str,
        seed: int,
        device: str,
        references: object = None,
        margin: float | None = None,
        **options: Any,
    ) -> None:
        declared = task_class(task)
        if not issubclass(declared, SeveralTasks):
            raise TypeError(f"expected the names of several tasks, got {task}")
        super().__init__(declared(resolve(device)), resolve(device))
        self.labels = declared.labels
        self.references = references_from(references, len(declared.tasks))
        self.parts = [OptimizerEvaluator(name, seed, device, **options) for name in declared.tasks]
        self.order = sorted(range(len(self.parts)), key=lambda place: self.references[place].operations)
        """Places of the tasks among the names, cheap tasks first."""
        self.margin = margin

    @classmethod
    def warm_up(cls) -> None:
        OptimizerEvaluator.warm_up()

    def read(self, text: str) -> Program | Rejected:
        return self.parts[0].read(text)

    def evaluate(
        self, genomes: Sequence[Program], rung: int, seed: int, split: Split, limit: Limit | None
    ) -> list[Outcome]:
        if split == "heldout":
            raise NoHeldout(f"expected one task to validate on, got several: {', '.join(self.labels)}")
        highest = limit_for(limit) + self.margin if limit is not None and self.margin is not None else None
        scores = [_Score() for _ in genomes]
        for place in self.order:
            alive = [i for i, score in enumerate(scores) if score.failure is None]
            if not alive:
                break
            outcomes = self._on_task(place, genomes, alive, rung, seed)
            for i, outcome in outcomes.items():
                scores[i].add(self.labels[place], outcome, self.references[place], rung, seed)
                if place != self.order[-1]:
                    scores[i].check(self.labels[place], highest)
        return [self._outcome(score) for score in scores]

    def _on_task(
        self, place: int, genomes: Sequence[Program], alive: Sequence[int], rung: int, seed: int
    ) -> dict[int, Outcome]:
        """The outcomes on one task of the programs in `alive`, by position. Where the pack keeps its shape, a copy
        trains in the place of a program that is out."""
        evaluator, still = self.parts[place], set(alive)
        places = alive if evaluator.independent else range(len(genomes))
        pack = [genomes[i if i in still else alive[0]] for i in places]
        outcomes = evaluator.evaluate(pack, rung, seed, "validation", None)
        return {i: outcome for i, outcome in zip(places, outcomes, strict=True) if i in still}

    def _outcome(self, score: "_Score") -> Outcome:
        if score.failure is not None:
            status, error = score.failure
            return Outcome(status, measures=score.all_measures(), error=error)
        gain = mean_of([score.gains[label] for label in self.labels])
        # In the order of the names, whatever the tasks cost.
        objectives = {GAIN.name: gain} | {o.name: score.objectives[o.name] for o in self.objectives[1:]}
        return Outcome("ok", gain, objectives, score.all_measures())


class _Score:
    """What is known of a program after some of the tasks: objectives and measures under the labels of the tasks, gains
    by label, and the status and error of a program that is out."""

    def __init__(self) -> None:
        self.objectives: dict[str, float] = {}
        self.measures: dict[str, float] = {}
        self.gains: dict[str, float] = {}
        self.hurdle: float | None = None
        self.failure: tuple[Any, str] | None = None

    def add(self, label: str, outcome: Outcome, reference: Reference, rung: int, seed: int) -> None:
        """Adds the outcome on a task."""
        self.measures |= {f"{label}:{name}": value for name, value in outcome.measures.items()}
        if outcome.fitness is None:
            self.failure = outcome.status, f"{label}: {outcome.error}"
            return
        self.objectives |= {f"{label}:{name}": value for name, value in outcome.objectives.items()}
        self.gains[label] = reference.gain(outcome.fitness, rung, seed)

    def check(self, label: str, highest: float | None) -> None:
        """Rejects the program if minus its smallest gain so far is above `highest`; None: no program is rejected."""
        if self.failure is not None:
            return
        self.hurdle = -min(self.gains.values())
        if highest is not None and not self.hurdle <= highest:
            error = f"{label}: gain {self.gains[label]:.4g}, below the threshold of the hurdle, {-highest:.4g}"
            self.failure = "rejected", error

    def all_measures(self) -> dict[str, float]:
        gains = {f"{label}:gain": gain for label, gain in self.gains.items()}
        return {**self.measures, **gains, **({} if self.hurdle is None else {"hurdle": self.hurdle})}
