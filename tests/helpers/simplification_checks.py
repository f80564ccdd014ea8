"""Random programs, and what becomes of a program that is simplified: sizes, and whether each step holds."""

import time
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np
from mutants import OPERATORS

from germline.programs.optimizer import Program, library, parse, trace, write
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.mutate import random_valid_program
from germline.programs.optimizer.primitives import CORE, EXTENDED
from germline.programs.optimizer.simplify import Simplified, simplify
from germline.programs.optimizer.simplify.proof import prove, prove_whole
from germline.programs.optimizer.space import OptimizerSpace

INTERPRETED = 12
MUTATIONS = 24


def random_program(number: int) -> Program | None:
    """A random valid program: of 8 to 30 random statements if its number is even, and 24 mutations away from a program
    of the library if it is odd; of core functions and of all functions in turn.

    None if no statement is found that fits the signature.
    """
    rng = np.random.default_rng([17, number])
    programs = list(library().values())
    start = parse(programs[number // 4 % len(programs)])
    functions = "extended" if number // 2 % 2 else "core"
    if number % 2 == 0:
        return random_valid_program(start, EXTENDED if functions == "extended" else CORE, int(rng.integers(8, 31)), rng)
    space = OptimizerSpace(start, functions, max_statements=80)
    program = start
    for _ in range(MUTATIONS):
        program = space.vary(program, OPERATORS[int(rng.integers(len(OPERATORS)))], rng).genome
    return program


def sizes(given: Program) -> dict[str, Any]:
    """Statements and states of a program, of its live part and of the simplified program, and the seconds it took."""
    return _simplified(given)[1]


def _simplified(given: Program) -> tuple[Simplified, dict[str, Any]]:
    start = time.process_time()
    simplified = simplify(given)
    seconds = time.process_time() - start
    programs = {"given": given, "live": live_program(given, trace(given)), "simplified": simplified.program}
    row: dict[str, Any] = {name: [len(p.body), len(p.states)] for name, p in programs.items()}
    return simplified, row | {"seconds": round(seconds, 3), "tier": simplified.tier}


def behaviour(given: Program, steps: int) -> dict[str, Any]:
    """The sizes of a program, and each step of its simplification that does not hold.

    Every step is checked by itself, over `steps` steps of training, those within a bound against their bounds. The
    given program is compared with the last one that needs no bound by the reference interpreter, which is slow, over
    at most `INTERPRETED` steps of training.
    """
    simplified, row = _simplified(given)
    checks = prove(simplified, steps)
    failed = [
        {"rule": step.name, "says": step.says, "before": write(step.before), "after": write(step.after)}
        for step, check in zip(simplified.steps, checks, strict=True)
        if not check.holds
    ]
    unbounded = _without_bounded(simplified)
    whole = prove_whole(unbounded, min(steps, INTERPRETED))
    if not whole.holds:
        failed.append({"rule": "all steps", "before": write(given), "after": write(unbounded.program)})
    trace(parse(write(simplified.program)))
    return row | {
        "steps": [step.name for step in simplified.steps],
        "compared": round(fmean([check.compared for check in checks] or [1.0]), 3),
        "whole": round(whole.compared, 3),
        "failed": failed,
    }


def _without_bounded(simplified: Simplified) -> Simplified:
    """The simplification up to its first step within a bound."""
    tiers = [step.tier for step in simplified.steps]
    kept = simplified.steps[: tiers.index("bounded")] if "bounded" in tiers else simplified.steps
    return replace(simplified, program=kept[-1].after if kept else simplified.given, steps=kept)
