"""The winner and the learning curve of a run that is stopped at any moment agree with its search."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from germline.db.store import Store
from germline.search.analysis.learning_curve import learning_curve_of
from germline.search.progress import Progress
from germline.search.run import evolve, new_run
from germline.search.winner import winner

SETTINGS = ("population=8", "parents=3", "candidates=3", "review_episodes=2", "test_episodes=2", "hidden=4", "pack=8")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(str(tmp_path / "runs.db")) as store:
        yield store


def create(store: Store, name: str, *settings: str, births: int = 40) -> None:
    new_run(store, "policy", settings=(*SETTINGS, *settings), births=births, seed=2, name=name)


def held(progress: Progress) -> int:
    """The birth that the strategy holds once it knows all that was recorded."""
    individual = progress.winner or (progress.best and progress.best.individual)
    assert individual is not None
    return individual.birth


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param((), id="generational"),
        pytest.param(("candidates=1",), id="one candidate"),
        pytest.param(("population=2", "candidates=6"), id="more candidates than births"),
        pytest.param(("depth=1",), id="one in flight"),
        pytest.param(("depth=2", "candidates=2"), id="two in flight"),
    ],
)
def test_after_every_review_the_winner_in_the_database_is_the_strategys(
    store: Store, settings: tuple[str, ...]
) -> None:
    create(store, "run", *settings, births=10 if "population=2" in settings else 40)
    seen: list[tuple[Progress, int, int]] = []
    for progress in evolve(store, "run", executor="inline"):
        seen.append((progress, winner(store, "run").individual.birth, len(learning_curve_of(store, "run").rows)))
    for now, named, blocks in seen:
        assert named == held(now)
        assert now.complete is None or blocks == now.complete + 1
    assert len({named for _, named, _ in seen}) > 1


@pytest.mark.slow
@pytest.mark.parametrize("done", [1, 2])
def test_a_run_that_is_stopped_between_two_reviews_hands_over_the_elite_of_the_last_round(
    store: Store, done: int
) -> None:
    create(store, "stopped")
    fifth = 3 + 3 + 3 + 3 + done
    events = evolve(store, "stopped", executor="inline")
    last = next(progress for progress in events if progress.reviews == fifth)
    events.close()  # type: ignore[attr-defined]
    run = store.run("stopped")
    assert run.status == "stopped" and last.winner is not None
    assert sum((evaluation.rung, evaluation.seed) == (1, 5) for evaluation in store.evaluations(run.id)) == done
    assert winner(store, "stopped").individual.birth == last.winner.birth
    assert len(learning_curve_of(store, "stopped").rows) == 4
