"""Runs with invented outcomes, for tests of what is made of records."""

from collections.abc import Mapping, Sequence
from typing import Any

from germline.db.records import EvaluationRecord, Individual, RunRecord, Winner
from germline.db.store import Store

TASKS = {"policy": "gym:CartPole-v1", "optimizer": "digits-mlp", "architecture": "digits-cells"}
BLOCK = 4
"""Births in a block."""


class InventedRun:
    """A run whose outcomes are invented. Every birth plays 10 frames, every review 100, every test 1000."""

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
        """Births without outcomes in a block; `cached` ones share an earlier birth's outcome."""
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
        """A scored block. `cached` maps positions in the block to the earlier births whose outcomes they share."""
        first = self.births
        sources = {first + position: birth for position, birth in (cached or {}).items()}
        self.waiting(number, len(fitness), sources)
        for birth, value in enumerate(fitness, first):
            if birth not in sources:
                self.score(birth, value)
        return self

    def front(self, number: int, objectives: Sequence[Mapping[str, float]]) -> "InventedRun":
        """A scored block of architectures; the fitness is the negative error."""
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
        """An evaluation; without a fitness it crashed. Reviews and tests have 9 episodes, unless told otherwise."""
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
        """The search completes a block and names its winner, by birth."""
        self.store.add_winners(self.run.id, [Winner(number, winner)])
        return self

    def end(self, status: str = "finished") -> "InventedRun":
        self.store.release(self.run.id, status, 1.0)
        return self


def _fingerprint(birth: int, cached: Mapping[int, int]) -> str:
    return f"print {cached.get(birth, birth)}"
