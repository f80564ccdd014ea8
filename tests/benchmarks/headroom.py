"""How far the best of the library is ahead of AdamW on each training task, with nothing but rates tuned.

    nice -n 10 python tests/benchmarks/headroom.py [TASK]...

Each optimizer is trained at rung 0 with `RATES` rates, factors of two apart, in one pack with the others; where the
lowest loss on validation data is at an end, with `BEYOND` more rates. AdamW and the `OTHERS` that are best on
validation data, each at its best rate, are trained again with fresh seeds and measured on held-out data. The best other
is the one that is best on validation data, so that held-out data choose nothing. Headroom is how far its mean held-out
loss is below that of AdamW, in pooled standard deviations between seeds. Prints rows of Markdown.
"""

import math
import sys
import time
from collections.abc import Mapping, Sequence
from statistics import mean, stdev

import torch

from germline.evaluators.memory import keep_freed_memory
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.optimizer.trainer import train
from germline.evaluators.task import Split
from germline.evaluators.tasks.registry import BUILT_IN, task_class
from germline.programs.optimizer import Program, library, parse
from germline.programs.optimizer.mutate import with_rate

MIDDLE_RATES = {
    "adamw": 0.01,
    "sgd_momentum": 0.1,
    "adabelief": 0.01,
    "lion": 0.001,
    "lamb": 0.02,
    "muon": 0.04,
}
"""The optimizers, and the rate in the middle of those that are tried."""
RATES, BEYOND, OTHERS = 7, 2, 2
TUNING_SEED, SEEDS = 0, (1, 2, 3, 4, 5, 6)


def at_rate(name: str, rate: float) -> Program:
    """The library program with another rate."""
    return with_rate(parse(library()[name]), rate)


def losses(task: TrainingTask, programs: Sequence[Program], seed: int, split: Split) -> list[float]:
    """The loss of each program after rung 0; infinite if it diverged."""
    results = train(task, programs, task.rungs[0], (0, 0, seed), split=split)
    return [math.inf if result.measures is None else result.measures["loss"] for result in results]


def tuned(task: TrainingTask) -> dict[str, tuple[float, float]]:
    """The best rate of each optimizer, and its loss on validation data."""
    tried: dict[str, dict[float, float]] = {name: {} for name in MIDDLE_RATES}
    todo = {
        name: [middle * 2.0**k for k in range(-(RATES // 2), RATES - RATES // 2)]
        for name, middle in MIDDLE_RATES.items()
    }
    for _ in range(2):
        pairs = [(name, rate) for name, rates in todo.items() for rate in rates]
        found = losses(task, [at_rate(*pair) for pair in pairs], TUNING_SEED, "validation") if pairs else []
        for (name, rate), loss in zip(pairs, found, strict=True):
            tried[name][rate] = loss
        todo = {name: beyond(rates) for name, rates in tried.items()}
    best = {name: min(rates, key=lambda rate: rates[rate]) for name, rates in tried.items()}
    return {name: (rate, tried[name][rate]) for name, rate in best.items()}


def beyond(rates: Mapping[float, float]) -> list[float]:
    """Further rates on the side of the best rate, if that is at an end."""
    best = min(rates, key=lambda rate: rates[rate])
    factor = 2.0 if best == max(rates) else 0.5 if best == min(rates) else 1.0
    return [best * factor**k for k in range(1, BEYOND + 1)] if factor != 1.0 else []


def row(name: str) -> str:
    """The row of a task: its losses with AdamW and the best other, the headroom, the losses of the next best, and the
    seconds of CPU that this took."""
    began = time.process_time()
    task = task_class(name)()
    assert isinstance(task, TrainingTask)
    rates = tuned(task)
    others = sorted((other for other in rates if other != "adamw"), key=lambda other: rates[other][1])[:OTHERS]
    contenders = ["adamw", *others]
    programs = [at_rate(contender, rates[contender][0]) for contender in contenders]
    by_seed = [losses(task, programs, seed, "heldout") for seed in SEEDS]
    held_out = dict(zip(contenders, map(list, zip(*by_seed, strict=True)), strict=True))
    best, *next_best = others
    pooled = math.sqrt((stdev(held_out["adamw"]) ** 2 + stdev(held_out[best]) ** 2) / 2)
    headroom = (mean(held_out["adamw"]) - mean(held_out[best])) / pooled
    after = ", ".join(f"{other} {mean(held_out[other]):.3f}" for other in next_best)
    ours, theirs = (f"{mean(held_out[o]):.3f} ± {stdev(held_out[o]):.3f}" for o in ("adamw", best))
    rate, seconds = rates["adamw"][0], time.process_time() - began
    name = f"`{name}`{', held out' if task.held_out_task else ''}"
    return f"| {name} | {ours} at {rate:.2g} | {best} {theirs} | {headroom:.1f} | {after} | {seconds:.0f} |"


def main(names: Sequence[str]) -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    print("| task | AdamW at its best rate | best other | headroom | next best | seconds |\n|---|---|---|---|---|---|")
    for name in names or [name for name in BUILT_IN if task_class(name).kind == "optimizer"]:
        print(row(name), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
