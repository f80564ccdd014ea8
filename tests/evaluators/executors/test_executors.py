"""Every executor against one contract, with a real task; `test_supervisor.py` has more ways to end a process."""

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
import os, signal, time
import torch
from germline.evaluators.tasks.digits_mlp import DigitsMLP
from germline.evaluators.task import Rung


class Trouble(DigitsMLP):
    """Digits, but a learning rate above 1 at the first step of training is asking for it."""

    name = "trouble"
    rungs = (Rung(10, 16),)

    def measure(self, params, split):
        for row in next(iter(params.values())).reshape(len(next(iter(params.values()))), -1):
            mark = round(float(row.mean().abs()))
            if mark == 1000:
                raise RuntimeError("a task that raises")
            if mark == 2000:
                os._exit(3)
            if mark == 4000:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                while True:
                    time.sleep(1)
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


@pytest.mark.slow
@pytest.mark.parametrize(("mark", "status"), [(2000, "crashed"), (4000, "timeout")])
def test_a_genome_that_kills_or_blocks_its_worker_fails_alone(
    local_ray: None, trouble: str, mark: int, status: str
) -> None:
    from germline.evaluators.executors.ray_executor import RayExecutor

    spec = EvaluatorSpec("optimizer", trouble, seed=1, options={"lengths": (1.0,)})
    clean = spec.build().score(GENOMES[:2], 0, 0)
    executor = RayExecutor(spec, workers=2, timeout=4.0)
    try:
        executor.submit(Job((0,), (GENOMES[0], marked(mark), GENOMES[1]), 0, 0))
        executor.submit(Job((1,), GENOMES[:2], 0, 0))
        found = collect(executor, 2)
    finally:
        executor.close()
    assert [one.status for one in found[0,]] == ["ok", status, "ok"]
    assert [found[0,][0].fitness, found[0,][2].fitness] == [one.fitness for one in clean]
    assert [one.fitness for one in found[1,]] == [one.fitness for one in clean]
