"""The references of a run on several tasks: AdamW, its rate tuned on each task when the run is created."""

import logging
from collections.abc import Sequence
from contextlib import closing
from copy import copy
from statistics import fmean, stdev
from typing import Any

from torch.utils.flop_counter import FlopCounterMode

from germline.evaluators.device import NoDevice, resolve
from germline.evaluators.errors import in_a_line, of_foreign_code
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.optimizer.evaluator import OptimizerEvaluator
from germline.evaluators.optimizer.gradient_cost import gradient_call
from germline.evaluators.optimizer.reference import Reference
from germline.programs.optimizer import parse, write
from germline.programs.optimizer.library import library_text
from germline.programs.optimizer.mutate import rate_constant, with_rate
from germline.search.settings import BadSetting

log = logging.getLogger(__name__)

OPTIMIZER = "adamw"
"""The program of the library that is tuned."""
RATES = tuple(1e-3 * 4.0**power for power in range(-4, 5))
"""Rates that are tried first."""
FACTORS = tuple(2.0 ** (half / 2) for half in (-3, -2, -1, 1, 2, 3))
"""Multiples of the best of `RATES` that are tried then."""
SEEDS = 3
"""Seeds at rung 0, from 0 on, with which the tuned reference is trained."""


def measured_references(
    tasks: Sequence[str], lengths: Sequence[float], review_rung: int | None, seed: int, device: str
) -> list[dict[str, Any]]:
    """The data of the reference of each task, in order. It trains in this process: about 20 times for each task,
    and twice at the rung of reviews.

    Args:
        tasks: full names.
        lengths: replicates of every training, as in the run.
        review_rung: the rung of the run's reviews; None: it has none.
        seed: of the run, so that the references see the batches and initial weights of its candidates.
        device: where the run begins; the CPU, if that device is not on this machine.

    Raises:
        BadSetting: the optimizer diverges at every rate, or learns nothing on a task, or the task fails.
    """
    try:
        device = resolve(device)
    except NoDevice:
        device = "cpu"
    references = []
    for name in tasks:
        log.info("tuning the rate of %s on %s, the reference of gains on this task", OPTIMIZER, name)
        try:
            options = {"lengths": tuple(lengths)}
            evaluator = EvaluatorSpec("optimizer", name, seed, device, options).build()
            assert isinstance(evaluator, OptimizerEvaluator)
            with closing(evaluator):
                references.append(_reference(name, evaluator, review_rung).data())
        except BadSetting:
            raise
        except of_foreign_code() as error:  # code of the task, which may raise anything
            raise BadSetting(f"no reference on {name}: {in_a_line(error)}") from error
    return references


def _reference(name: str, evaluator: OptimizerEvaluator, review_rung: int | None) -> Reference:
    program = _with_tuned_rate(name, evaluator)
    levels = {0: range(SEEDS)} | ({} if review_rung is None else {review_rung: range(1)})
    full = {rung: [_fitness(evaluator, program, rung, seed) for seed in seeds] for rung, seeds in levels.items()}
    half_as_long = copy(evaluator)  # of the same loaded task
    half_as_long.lengths = tuple(length / 2 for length in evaluator.lengths)
    half = {rung: [_fitness(half_as_long, program, rung, seed) for seed in seeds] for rung, seeds in levels.items()}
    fitness = {str(rung): [value for value in values if value is not None] for rung, values in full.items()}
    if any(len(fitness[str(rung)]) < len(values) for rung, values in full.items()):
        raise BadSetting(f"expected a task on which {OPTIMIZER} does not diverge, tuned, got {name}; leave it out")
    units = {}
    for rung, values in full.items():
        pairs = zip(values, half[rung], strict=True)
        gaps = [value - less for value, less in pairs if value is not None and less is not None]
        units[str(rung)] = max(fmean(gaps) if gaps else 0.0, stdev(fitness["0"]))
        if not units[str(rung)] > 0:
            raise BadSetting(
                f"expected a task on which {OPTIMIZER} learns in the steps of rung {rung}, got {name}; leave it out"
            )
    return Reference(program, _operations(evaluator), fitness, units)


def _with_tuned_rate(name: str, evaluator: OptimizerEvaluator) -> str:
    """The text of the optimizer with the rate that is best at rung 0 with seed 0."""
    program = parse(library_text(OPTIMIZER))
    best = _best(evaluator, [write(with_rate(program, rate)) for rate in RATES])
    if best is None:
        raise BadSetting(
            f"expected a task on which {OPTIMIZER} does not diverge, got {name}: it did at every rate "
            f"from {RATES[0]:.2g} to {RATES[-1]:.2g}"
        )
    chosen = parse(best)
    place, argument = rate_constant(chosen) or (0, 0)
    rate = chosen.body[place].args[argument]
    assert isinstance(rate, float)
    finer = _best(evaluator, [write(with_rate(program, rate * factor)) for factor in (1.0, *FACTORS)])
    return finer or best


def _best(evaluator: OptimizerEvaluator, texts: Sequence[str]) -> str | None:
    """The first of the programs with the highest fitness; None if all fail."""
    outcomes = evaluator.score(texts, rung=0, seed=0)
    scored = [(outcome.fitness, -i) for i, outcome in enumerate(outcomes) if outcome.fitness is not None]
    return texts[-max(scored)[1]] if scored else None


def _fitness(evaluator: OptimizerEvaluator, program: str, rung: int, seed: int) -> float | None:
    return evaluator.score([program], rung, seed)[0].fitness


def _operations(evaluator: OptimizerEvaluator) -> float:
    """Floating-point operations of a candidate's training at rung 0: products and convolutions of its gradients. No
    times, so that the order of tasks is the same on a busy machine."""
    rung = evaluator.rungs[0]
    call = gradient_call(evaluator.task, rung, device=evaluator.device)
    with FlopCounterMode(display=False) as counter:
        call()
    return float(counter.get_total_flops()) * rung.steps * sum(evaluator.lengths)
