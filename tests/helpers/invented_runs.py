"""Runs with invented outcomes, for tests of what is computed from the records of a run."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from germline.db.records import EvaluationRecord, Individual, RunRecord, Winner
from germline.db.store import Store

TASKS = {"policy": "gym:CartPole-v1", "optimizer": "digits-mlp", "architecture": "digits-cells"}
BLOCK = 4
"""Births in a block."""


class InventedRun:
    """A run whose outcomes are invented. Methods add records and return the run itself.

    An evaluation at rung 0 (of a birth) has 10 frames, at rung 1 (a review) 100, at rung 2 (a test) 1000.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        kind: str = "policy",
        settings: Mapping[str, Any] | None = None,
        seed: int = 1,
        births: int = 100,
    ) -> None:
        self.store, self.births = store, 0
        settings = {"population": BLOCK, "candidates": 2} if settings is None else settings
        config = {"config_version": 1, "task_version": 1, "settings": settings, "births": births, "evaluations": None}
        self.run: RunRecord = store.create_run(name, kind, TASKS[kind], "quick", seed, config, {})

    def waiting(self, number: int, count: int = BLOCK, cached: Mapping[int, int] | None = None) -> "InventedRun":
        """Adds `count` births without outcomes to block `number`; `cached` maps cache hits to their source births."""
        sources = cached or {}
        records = []
        for birth in range(self.births, self.births + count):
            genome, fingerprint = f"{self.run.name} {birth}", _fingerprint(birth, sources)
            records.append(Individual(birth, number, (), "random", genome, fingerprint, sources.get(birth)))
        self.store.add_individuals(self.run.id, self.run.kind, records)
        self.births += count
        return self

    def block(
        self, number: int, fitness: Sequence[float | None], cached: Mapping[int, int] | None = None
    ) -> "InventedRun":
        """Adds a scored block; a fitness of None is a crash.

        `cached` maps positions in the block to the earlier births whose outcomes they share.
        """
        first = self.births
        sources = {first + position: birth for position, birth in (cached or {}).items()}
        self.waiting(number, len(fitness), sources)
        for birth, value in enumerate(fitness, first):
            if birth not in sources:
                self.score(birth, value)
        return self

    def front(self, number: int, objectives: Sequence[Mapping[str, float]]) -> "InventedRun":
        """Adds a scored block of architectures with these objectives; the fitness is the negative error."""
        first = self.births
        self.waiting(number, len(objectives))
        for birth, values in enumerate(objectives, first):
            self.score(birth, -values["validation_error"], objectives=values)
        return self

    def score(
        self,
        birth: int,
        fitness: float | None,
        rung: int = 0,
        seed: int = 0,
        spread: float = 3.0,
        episodes: float | None = None,
        objectives: Mapping[str, float] | None = None,
    ) -> "InventedRun":
        """Adds an evaluation of a birth; without a fitness it crashed.

        `spread` is the standard deviation of the returns. At a rung from 1 there are 9 episodes unless `episodes` says
        otherwise; at rung 0 neither is recorded unless `episodes` is given.
        """
        measures = {"frames": 10.0 ** (rung + 1)}
        if episodes is None and rung:
            episodes = 9.0
        if episodes is not None and fitness is not None:
            measures |= {"deviation": spread, "episodes": episodes}
        if objectives is None:
            objectives = {} if fitness is None else {"return": fitness}
        key = (birth, _fingerprint(birth, {}), self.run.task, rung, seed)
        outcome = ("crashed" if fitness is None else "ok", fitness, objectives, measures, 0.1, "inline", None)
        self.store.add_evaluations(self.run.id, [EvaluationRecord(*key, *outcome)])
        return self

    def complete(self, number: int, winner: int | None = None) -> "InventedRun":
        """Adds the birth that won a completed block; None: no outcome was ok."""
        self.store.add_winners(self.run.id, [Winner(number, winner)])
        return self

    def end(self, status: str = "finished") -> "InventedRun":
        self.store.release(self.run.id, status, 1.0)
        return self


def _fingerprint(birth: int, cached: Mapping[int, int]) -> str:
    return f"print {cached.get(birth, birth)}"


def many_births(store: Store, run: RunRecord, births: int, block: int, draw: Random) -> None:
    """Adds many births with their outcomes to a run of optimizer programs without reviews.

    A tenth of the programs diverge, a twenty-fifth are cache hits, and each child's parent is among the last 3,000.
    The first birth is the start program and the winner of all blocks.
    """
    start = run.config["settings"]["start"]
    for first in range(0, births, 128 * block):
        individuals, evaluations = [], []
        for birth in range(first, min(births, first + 128 * block)):
            source = _source(birth, draw)
            parents = (draw.randrange(max(0, birth - 3000), birth),) if birth else ()
            genome = start if birth == 0 else start.replace("0.9", f"{draw.random():.6g}", 1)
            operator, fingerprint = ("tune" if birth else "seed"), f"{birth if source is None else source:024x}"
            individuals.append(Individual(birth, birth // block, parents, operator, genome, fingerprint, source))
            if source is None:
                evaluations.append(_evaluation(birth, fingerprint, run.task, draw))
        store.add_individuals(run.id, run.kind, individuals)
        complete = range(first // block, (individuals[-1].birth + 1) // block)
        store.add_evaluations(run.id, evaluations, winners=[Winner(number, 0) for number in complete])


def _source(birth: int, draw: Random) -> int | None:
    """The earlier birth whose outcome a birth shares; None for most."""
    if birth < 100 or birth % 25:
        return None
    source = draw.randrange(birth)
    return source if source < 100 or source % 25 else source - 1


def _evaluation(birth: int, fingerprint: str, task: str, draw: Random) -> EvaluationRecord:
    loss, ok = 0.1 + draw.random(), birth == 0 or draw.random() > 0.1
    outcome = ("ok", -loss, {"validation_loss": loss}) if ok else ("diverged", None, {})
    measures = {"accuracy": draw.random(), "loss_0": draw.random()}
    error = None if ok else "loss is nan at step 3"
    return EvaluationRecord(birth, fingerprint, task, 0, 0, *outcome, measures, 0.01, "host:1234", error)
