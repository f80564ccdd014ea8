"""The account of attempts, against workers that lose processes, raise and hang at random."""

import random

import pytest

from germline.evaluators.executors.attempts import MOST_ACCIDENTS, Attempts, Call
from germline.evaluators.executors.executor import Job
from germline.evaluators.outcome import Outcome, Status

BLAME: dict[str, Status] = {"raises": "crashed", "hangs": "timeout", "crashes": "crashed", "fills": "oom"}
"""What a bad genome does, and its outcome."""


def outcomes_of(call: Call) -> list[Outcome]:
    genomes = call.job.genomes if call.position is None else (call.job.genomes[call.position],)
    return [Outcome("ok", worker=genome) for genome in genomes]


def finish(attempts: Attempts, call: Call, accident: bool, disturbed: bool) -> None:
    """What a worker makes of a call. Memory that a genome fills may be the end of a process beside it."""
    scored = call.job.genomes if call.position is None else (call.job.genomes[call.position],)
    bad = next((genome for genome in scored if genome in BLAME), "fills" if disturbed else None)
    if accident:
        attempts.lost(call, Outcome("crashed"), suspect=False)
    elif bad is None:
        attempts.scored(call, outcomes_of(call))
    elif bad in ("raises", "hangs"):
        attempts.failed(call, Outcome(BLAME[bad]))
    else:
        attempts.lost(call, Outcome(BLAME[bad]), suspect=True)


def run(jobs: list[Job], workers: int, accidents: float, seed: int) -> dict[tuple[int, ...], list[Outcome]]:
    """Scores jobs with some workers; calls end in a random order."""
    draw, attempts, running = random.Random(seed), Attempts(), []
    most: dict[tuple[tuple[int, ...], int | None], int] = {}
    for job in jobs:
        attempts.submit(job)
    for _ in range(100_000):
        while len(running) < workers and (call := attempts.take(running)) is not None:
            running.append(call)
        if not running:
            break
        assert len(running) == 1 or not any(call.undisturbed for call in running)
        call = running.pop(draw.randrange(len(running)))
        fills = any("fills" in other.job.genomes for other in running)
        key = (call.job.key, call.position)
        accident = draw.random() < accidents and most.get(key, 0) < MOST_ACCIDENTS
        most[key] = most.get(key, 0) + accident
        finish(attempts, call, accident, fills and draw.random() < 0.5)
    return {job.key: outcomes for job, outcomes in attempts.done}


@pytest.mark.parametrize("seed", range(20))
def test_bad_genomes_are_blamed_and_no_other(seed: int) -> None:
    draw = random.Random(seed)
    names = ["good-1", "good-2", *BLAME]
    jobs = [Job((key,), tuple(draw.choice(names) for _ in range(draw.randrange(1, 6))), 0, 0) for key in range(12)]
    found = run(jobs, workers=1 + seed % 3, accidents=0.3, seed=seed)
    for job in jobs:
        outcomes = found[job.key]
        assert [outcome.status for outcome in outcomes] == [BLAME.get(genome, "ok") for genome in job.genomes]
        for genome, outcome in zip(job.genomes, outcomes, strict=True):
            assert outcome.status != "ok" or outcome.worker == genome


def test_a_call_that_loses_its_process_is_repeated_whole_then_each_genome_alone() -> None:
    attempts = Attempts()
    attempts.submit(Job((0,), ("a", "b"), 0, 0))
    attempts.lost(first := attempts.take([]), Outcome("crashed"), suspect=True)
    attempts.lost(second := attempts.take([]), Outcome("crashed"), suspect=True)
    assert (first.only, first.again, second.only, second.again) == (None, False, None, True)
    alone = [attempts.take([]), attempts.take([])]
    assert [(call.only, call.again) for call in alone] == [((0,), False), ((1,), False)]


def test_accidents_say_nothing_until_there_are_many() -> None:
    attempts = Attempts()
    attempts.submit(Job((0,), ("a",), 0, 0))
    for _ in range(MOST_ACCIDENTS):
        call = attempts.take([])
        assert not call.again
        attempts.lost(call, Outcome("crashed"), suspect=False)
    for _ in range(2):
        assert not attempts.done
        attempts.lost(attempts.take([]), Outcome("crashed", error="killed"), suspect=False)
    assert attempts.done[0][1][0].error == "killed"


def test_what_is_scored_again_comes_before_what_waits() -> None:
    attempts = Attempts()
    for key in range(2):
        attempts.submit(Job((key,), ("a", "b"), 0, 0))
    attempts.failed(attempts.take([]), Outcome("crashed"))
    assert [attempts.take([]).job.key for _ in range(3)] == [(0,), (0,), (1,)]
