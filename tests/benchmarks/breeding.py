"""Children a second on one core: mutate, abstract execution, fingerprint, cache look-up.

The parents are programs of 20 to 40 statements, with about as large a share of dead statements as in a search. The
baseline does the same without what makes it fast: it parses each parent from its text and runs every child on the fixed
inputs, as a behavioural hash alone would.
"""

import time

import numpy as np

from germline.programs.optimizer import Program, library, parse
from germline.programs.optimizer.fingerprint import numeric_fingerprint, structural_fingerprint
from germline.programs.optimizer.graph import trace
from germline.programs.optimizer.space import OptimizerSpace
from germline.search.loop import rng_for

OPERATORS = ("insert", "delete", "modify")
CHILDREN = 6_000
PARENTS = 200


def parents() -> list[Program]:
    """Programs of 20 to 40 statements, bred with the paper's operators from the start program.

    A program is kept only while more than a third of it is live, as selection does in a search.
    """
    space = OptimizerSpace(parse(library()["adamw_plain"]))
    rng = np.random.default_rng(0)
    found: list[Program] = []
    while len(found) < PARENTS:
        program, length = space.start, int(rng.integers(20, 41))
        while len(program.body) < length:
            child = space.vary(program, ("insert", "insert", "modify")[int(rng.integers(3))], rng).genome
            statements, live = space.sizes(child)
            if live > statements / 3:
                program = child
        found.append(program)
    return found


def breed(pool: list[Program], first: int) -> tuple[float, float]:
    """Children a second, and the share of them whose fingerprint was known."""
    space = OptimizerSpace(parse(library()["adamw_plain"]))
    for program in pool:
        space.write(program)
    texts = [space.write(program) for program in pool]
    known: dict[str, int] = {}
    hits = 0
    began = time.process_time()
    for birth in range(first, first + CHILDREN):
        rng = rng_for(0, birth)
        parent = space.read(texts[int(rng.random() * len(texts))])
        child = space.vary(parent, OPERATORS[int(rng.random() * 3)], rng).genome
        hits += known.setdefault(space.fingerprint(child), birth) != birth
    return CHILDREN / (time.process_time() - began), hits / CHILDREN


def breed_plainly(pool: list[Program], first: int, children: int) -> float:
    space = OptimizerSpace(parse(library()["adamw_plain"]))
    texts = [space.write(program) for program in pool]
    known: dict[str, int] = {}
    began = time.process_time()
    for birth in range(first, first + children):
        rng = rng_for(0, birth)
        parent = parse(texts[int(rng.random() * len(texts))])
        child = space.vary(parent, OPERATORS[int(rng.random() * 3)], rng).genome
        graph = trace(child)
        known.setdefault(numeric_fingerprint(graph) or structural_fingerprint(graph), birth)
    return children / (time.process_time() - began)


def rows() -> list[dict[str, object]]:
    pool = parents()
    rounds = [_round(pool, number) for number in range(3)]
    fast, plain, hits = sorted(rounds)[1]
    return [
        {
            "name": "breeding/20-40-statements",
            "value": fast,
            "unit": f"children/s, {hits:.0%} hits",
            "baseline": "parse each parent, behavioural hash alone",
            "ratio": fast / plain,
        }
    ]


def _round(pool: list[Program], number: int) -> tuple[float, float, float]:
    first = 1_000_000 * (number + 1)
    fast, hits = breed(pool, first)
    return fast, breed_plainly(pool, first, CHILDREN // 6), hits
