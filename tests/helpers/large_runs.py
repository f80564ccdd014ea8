"""A run of very many births whose outcomes are invented, and whose programs descend from each other for real."""

import math
import re
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from germline.db.records import EvaluationRecord, Individual, RunRecord, Winner
from germline.db.store import Store
from germline.programs.optimizer.space import OptimizerSpace
from germline.programs.optimizer.text import parse, write
from germline.search.kinds import kind_named
from germline.search.run import new_run

POPULATION = 200
FAILURES = (
    ("diverged", "loss is nan at step 3"),
    ("diverged", "loss is inf at step 17"),
    ("timeout", "no outcome after 30 s"),
    ("crashed", "the process that scored ended with signal 11"),
)
_NUMBER = re.compile(r"(?<![\w.])\d+\.\d+(?:e-?\d+)?")


class _Member(NamedTuple):
    birth: int
    text: str
    fitness: float


def large_run(path: Path, births: int, name: str = "large", seed: int = 1) -> RunRecord:
    """Writes a finished run of optimizer programs to the database at `path`.

    Its programs are made by the operators of the language: a structural change for one birth in forty, another constant
    for the others. Fitness is invented: that of the parent and noise, so that a lineage of many steps grows. One birth
    in twelve fails, one in twenty-five is a cache hit. After every 400 blocks the best is reviewed.
    """
    draw, generator = Random(seed), np.random.default_rng(seed)
    with Store(str(path)) as store:
        run = new_run(store, name=name, births=births, seed=seed, settings=["lengths=0.1", "warmup=0"])
        settings = kind_named("optimizer").from_config(run.config["settings"])
        start = run.config["settings"]["start"]
        space, block = OptimizerSpace(parse(start)), settings.block
        members = [_Member(0, start, -0.9)]
        best = members[0]
        for first in range(0, births, 128 * block):
            individuals, evaluations, winners = [], [], []
            for birth in range(first, min(births, first + 128 * block)):
                parent = max(draw.choices(members, k=8), key=lambda member: member.fitness) if birth else members[0]
                text, operator = _child(parent.text, space, draw, generator) if birth else (start, "seed")
                hit = birth > 100 and birth % 25 == 0
                fingerprint = f"{birth - 1 if hit else birth:024x}"
                parents = (parent.birth,) if birth else ()
                source = birth - 1 if hit else None
                individuals.append(Individual(birth, birth // block, parents, operator, text, fingerprint, source))
                if hit:
                    continue
                record = _outcome(birth, fingerprint, run.task, parent.fitness, births, draw)
                evaluations.append(record)
                if record.fitness is not None:
                    member = _Member(birth, text, record.fitness)
                    if len(members) < POPULATION:
                        members.append(member)
                    else:
                        members[draw.randrange(POPULATION)] = member
                    best = max(best, member, key=lambda each: each.fitness)
                if birth % block == block - 1:
                    winners.append(Winner(birth // block, best.birth))
                    if birth // block % 400 == 399:
                        evaluations += _reviews(best, run.task, birth // block, draw)
            store.add_individuals(run.id, run.kind, individuals)
            store.add_evaluations(run.id, evaluations, seconds=0.01 * len(evaluations), winners=winners)
        store.release(run.id, "finished", 0.0)
        return store.run(name)


def _child(text: str, space: OptimizerSpace, draw: Random, generator: np.random.Generator) -> tuple[str, str]:
    numbers = list(_NUMBER.finditer(text))
    if draw.random() < 1 / 40 or not numbers:
        operator = draw.choice(["insert", "delete", "modify"])
        return write(space.vary(parse(text), operator, generator).genome), operator
    chosen = draw.choice(numbers)
    value = float(chosen.group()) * math.exp(draw.gauss(0, 0.2))
    return f"{text[: chosen.start()]}{value:.6f}{text[chosen.end() :]}", "tune"


def _outcome(birth: int, fingerprint: str, task: str, parent: float, births: int, draw: Random) -> EvaluationRecord:
    key = (birth, fingerprint, task, 0, 0)
    worker, measures = f"host:{1000 + draw.randrange(8)}", {"accuracy": 0.5 + draw.random() / 2}
    if birth and draw.random() < 1 / 12:
        status, error = draw.choice(FAILURES)
        return EvaluationRecord(*key, status, None, {}, {}, 0.01, worker, error)
    # Most children are a little worse, some a little better; the nearer to the limit, the smaller the steps.
    fitness = parent + 0.02 * (-0.05 - parent) * draw.gauss(-1.0, 1.0) if birth else -0.9
    return EvaluationRecord(*key, "ok", fitness, {"validation_loss": -fitness}, measures, 0.01, worker, None)


def _reviews(best: _Member, task: str, block: int, draw: Random) -> list[EvaluationRecord]:
    worse = 0.02 + 0.1 * (best.fitness + 0.9) ** 2
    records = []
    for rung, seed in ((0, 1 + block), (1, 1 + block)):
        fitness = best.fitness * (1.0 if rung == 0 else 0.8) - worse * draw.random()
        outcome = ("ok", fitness, {"validation_loss": -fitness}, {}, 0.1, "host:1000", None)
        records.append(EvaluationRecord(best.birth, f"{best.birth:024x}", task, rung, seed, *outcome))
    return records
