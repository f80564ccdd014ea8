"""The account of attempts, against workers that lose processes, raise and hang at random."""

import random

import pytest

from germline.evaluators.executors.attempts import MOST_ACCIDENTS, Attempts, Call
from germline.evaluators.executors.executor import Job
from germline.evaluators.outcome import Outcome, Status

BLAME: dict[str, Status] = {"raises": "crashed", "hangs": "timeout", "crashes": "crashed", "fills": "oom"}
"""What a bad genome does, and its outcome."""


def outcomes_of(call: Call) -> list[Outcome]:
    return [Outcome("ok", worker=call.job.genomes[place]) for place in call.places]


def finish(attempts: Attempts, call: Call, accident: bool, disturbed: bool) -> None:
    """What a worker makes of a call. Memory that a genome fills may be the end of a process beside it."""
    scored = [call.job.genomes[place] for place in call.places]
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
    most: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
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
        key = (call.job.key, tuple(call.places))
        accident = draw.random() < accidents and most.get(key, 0) < MOST_ACCIDENTS
        most[key] = most.get(key, 0) + accident
        finish(attempts, call, accident, fills and draw.random() < 0.5)
    return {job.key: outcomes for job, outcomes in attempts.done}


@pytest.mark.parametrize("seed", range(20))
def test_bad_genomes_are_blamed_and_no_other(seed: int) -> None:
    draw = random.Random(seed)
    names = ["good-1", "good-2", *BLAME]
    sizes = [*(draw.randrange(1, 6) for _ in range(12)), 17, 40]  # the last two are scored in parts of several genomes
    jobs = [Job((key,), tuple(draw.choices(names, k=size)), 0, 0) for key, size in enumerate(sizes)]
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
    assert (first.positions, first.again, second.positions, second.again) == (None, False, None, True)
    alone = [attempts.take([]), attempts.take([])]
    assert [(call.positions, call.again) for call in alone] == [((0,), False), ((1,), False)]


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


@pytest.mark.parametrize(("genomes", "most"), [(2, 2), (16, 16), (17, 9 + 2), (1_024, 16 + 16 + 4)])
def test_a_bad_genome_is_found_in_few_calls(genomes: int, most: int) -> None:
    for bad in {0, 1, genomes // 2, genomes - 1}:
        attempts, calls = Attempts(), 0
        attempts.submit(Job((0,), tuple("bad" if i == bad else "good" for i in range(genomes)), 0, 0))
        while (call := attempts.take([])) is not None:
            calls += 1
            if any(call.job.genomes[place] == "bad" for place in call.places):
                attempts.failed(call, Outcome("crashed"))
            else:
                attempts.scored(call, outcomes_of(call))
        ((_, outcomes),) = attempts.done
        assert [i for i, outcome in enumerate(outcomes) if outcome.status == "crashed"] == [bad]
        assert calls <= 1 + most
