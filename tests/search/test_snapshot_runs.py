"""Real searches that go on from snapshots again and again, compared with searches that were never interrupted."""

from pathlib import Path
from typing import Any

import pytest

from germline.db.store import Store
from germline.search.loop import Search
from germline.search.run import evolve, new_run

TABLE = {"kind": "architecture", "preset": "nb201"}
POLES = {"kind": "policy", "task": "gym:CartPole-v1"}
RUNS: dict[str, tuple[dict[str, str], list[str]]] = {
    "aging": (TABLE, ["strategy=aging", "population=12", "block=8", "pack=2", "max_params=1M", "depth=2"]),
    "nsga2": (TABLE, ["strategy=nsga2", "population=12", "block=8", "pack=2"]),
    "local": (TABLE, []),
    "pareto-local": (TABLE, ["strategy=pareto-local", "objectives=validation_error,params"]),
    "truncation": (POLES, ["population=8", "candidates=3", "review_episodes=2", "test_episodes=2", "steps=30"]),
    "map-elites": (
        {"kind": "policy", "task": "hard-maze"},
        ["strategy=map-elites", "population=8", "candidates=3", "cells=6", "hidden=4", "test_episodes=2", "steps=60"],
    ),
    "openai-es": (
        POLES,
        ["strategy=openai-es", "population=9", "candidates=3", "review_episodes=2", "test_episodes=2", "steps=30"],
    ),
    "sep-cma-es": (POLES, ["strategy=sep-cma-es", "population=8", "candidates=2", "review_episodes=2", "steps=30"]),
    "random": (POLES, ["strategy=random", "population=8", "candidates=3", "review_episodes=2", "steps=30"]),
}


def recorded(store: Store, name: str) -> tuple[Any, ...]:
    run = store.run(name)
    outcomes = {
        (each.birth, each.fingerprint, each.rung, each.seed, each.status, each.fitness, str(each.objectives))
        for each in store.evaluations(run.id)
    }
    return list(store.individuals(run.id)), outcomes, store.winners(name), store.winner(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_sessions_that_begin_from_snapshots_record_what_a_session_in_one_records(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, settings = RUNS[name]
    with Store(str(tmp_path / "runs.db")) as store:
        for each in ("whole", "cut"):
            new_run(store, **options, settings=settings, seed=5, name=each, births=72)  # type: ignore[arg-type]
        for _ in evolve(store, "whole", executor="inline"):
            pass
        monkeypatch.setattr(Search.__init__, "__defaults__", (16, *Search.__init__.__defaults__[1:]))
        cuts = 0
        while store.run("cut").status != "finished":
            for progress in evolve(store, "cut", executor="inline"):
                # The session is left in the middle of things, after a few outcomes.
                if progress.births > progress.replayed and progress.evaluations % 7 == cuts % 7:
                    cuts += 1
                    break
        assert store.snapshot(store.run("cut").id) is not None and cuts > 3
        whole, cut = recorded(store, "whole"), recorded(store, "cut")
        assert [each.genome for each in cut[0]] == [each.genome for each in whole[0]]
        assert cut == (*whole[:3], cut[3])
        assert (whole[3] and whole[3].individual) == (cut[3] and cut[3].individual)
        assert store.check() == []
