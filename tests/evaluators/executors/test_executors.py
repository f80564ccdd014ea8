"""Every executor against one contract, with real tasks."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.executor import Executor, Job
from germline.evaluators.executors.inline_executor import InlineExecutor
from germline.evaluators.outcome import Outcome
from germline.programs.optimizer import library

GENOMES = tuple(library()[name] for name in ("adamw_plain", "lion_raw", "adamw_plain"))
OPTIONS = {"lengths": (0.05,)}

TROUBLE = '''
from germline.evaluators.tasks.digits_mlp import DigitsMLP
from germline.evaluators.task import Rung


class Trouble(DigitsMLP):
    """Digits, but a genome whose weights are near -1000 after its first steps makes the task raise."""

    name = "trouble"
    rungs = (Rung(10, 16),)

    def measure(self, params, split):
        if any(round(float(row.mean().abs())) == 1000 for row in next(iter(params.values()))):
            raise RuntimeError("a task that raises")
        return super().measure(params, split)
'''


def marked(number: int) -> str:
    """A program after whose first steps every weight is near `number`."""
    return (
        f"def train(w, g, m, v, lr):\n  x = w - {float(number)}\n  update = interp(x, x, 0.5)\n  return update, m, v\n"
    )


@pytest.fixture
def trouble(tmp_path: Path) -> str:
    path = tmp_path / "trouble.py"
    path.write_text(TROUBLE)
    return f"{path}:Trouble"


def collect(executor: Executor, jobs: int) -> dict[tuple[int, ...], list[Outcome]]:
    return {job.key: outcomes for job, outcomes in (executor.next() for _ in range(jobs))}


@pytest.fixture(params=["inline", "ray"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Executor]]:
    opened: list[Executor] = []
    if request.param == "ray":
        request.getfixturevalue("local_ray")

    def executor(task: str = "digits-mlp", timeout: float = 60.0) -> Executor:
        spec = EvaluatorSpec("optimizer", task, seed=1, options=OPTIONS)
        if request.param == "inline":
            opened.append(InlineExecutor(spec))
        else:
            from germline.evaluators.executors.ray_executor import RayExecutor

            opened.append(RayExecutor(spec, workers=2, timeout=timeout))
        return opened[-1]

    yield executor
    for one in opened:
        one.close()


@pytest.mark.slow
def test_a_job_returns_one_outcome_per_genome_in_order(make: Callable[..., Executor]) -> None:
    executor = make()
    for key in range(4):
        executor.submit(Job((key,), GENOMES[: 1 + key % 3], rung=0, seed=0))
    found = collect(executor, 4)
    assert [len(found[key,]) for key in range(4)] == [1, 2, 3, 1]
    alone, _, (first, other, same), _ = (found[key,] for key in range(4))
    assert first.fitness == same.fitness == alone[0].fitness != other.fitness


@pytest.mark.slow
def test_the_outcome_does_not_depend_on_the_executor(make: Callable[..., Executor]) -> None:
    executor = make()
    executor.submit(Job((0,), GENOMES, rung=0, seed=0))
    here = EvaluatorSpec("optimizer", "digits-mlp", seed=1, options=OPTIONS).build().score(GENOMES, 0, 0)
    assert [one.fitness for one in executor.next()[1]] == [one.fitness for one in here]


@pytest.mark.slow
def test_a_genome_that_makes_the_task_raise_fails_alone(make: Callable[..., Executor], trouble: str) -> None:
    executor = make(trouble)
    executor.submit(Job((0,), (GENOMES[0], marked(1000), GENOMES[1]), 0, 0))
    executor.submit(Job((1,), (GENOMES[0],), 0, 0))
    found = collect(executor, 2)
    first, bad, last = found[0,]
    assert (first.status, bad.status, last.status) == ("ok", "crashed", "ok")
    assert bad.error == "RuntimeError: a task that raises"
    assert found[1,][0].fitness == first.fitness
