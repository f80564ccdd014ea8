"""Candidate-steps a second: N programs trained together, against one after the other, and the program engine alone.

The baseline is what a competent user would write without us: an ordinary module, autograd, and the program's live
statements as torch operations on each tensor, one candidate after the other. Both sides measure what they trained. The
programs are from births 32,134 to 39,992 of a search with the paper's settings on `digits-mlp` (`programs.txt`).
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import modules
import numpy as np
import torch

from germline.evaluators.memory import keep_freed_memory
from germline.evaluators.optimizer.engine import ProgramEngine
from germline.evaluators.optimizer.schedule import SCHEDULE
from germline.evaluators.optimizer.trainer import train
from germline.evaluators.task import Rung
from germline.evaluators.tasks.registry import task_class
from germline.programs.optimizer import Program, parse, trace
from germline.programs.optimizer.flat import Layout
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.interpret import Interpreter

ROUNDS = 3
ALONE = 4
"""Candidates that the baseline trains in a round."""
BASELINE = "one candidate after the other, nn.Module and autograd"


def programs(count: int) -> list[Program]:
    """`count` programs of a real search, from the first again where the file has no more."""
    texts = (Path(__file__).parent / "programs.txt").read_text().strip().split("\n\n")
    found = [parse(text + "\n") for text in texts]
    return [found[i % len(found)] for i in range(count)]


def together(name: str, pool: Sequence[Program], rung: Rung, device: str) -> float:
    task = task_class(name)(device)
    train(task, pool[:2], Rung(2, rung.batch), (0,), device)
    began = time.perf_counter()
    train(task, pool, rung, (0,), device)
    return len(pool) * rung.steps / (time.perf_counter() - began)


def one_by_one(name: str, pool: Sequence[Program], rung: Rung, device: str) -> float:
    made = modules.MODULES[name](device)
    train_alone(made, pool[0], Rung(2, rung.batch), device)
    began = time.perf_counter()
    for program in pool:
        train_alone(made, program, rung, device)
    synchronize(device)
    return len(pool) * rung.steps / (time.perf_counter() - began)


def train_alone(made: modules.Made, program: Program, rung: Rung, device: str) -> None:
    module, (inputs, targets), (seen, wanted) = made
    rng = np.random.default_rng(0)
    model = module()
    weights = list(model.parameters())
    interpreter = Interpreter(live_program(program))
    for step in range(rung.steps):
        index = torch.as_tensor(rng.integers(0, len(inputs), rung.batch), device=device)
        logits = model(inputs[index])
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, -2), targets[index].flatten())
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            updates = interpreter.step(weights, gradients, SCHEDULE.value(step, rung.steps))
            for weight, update in zip(weights, updates, strict=True):
                weight -= update
    with torch.no_grad():
        float(torch.nn.functional.cross_entropy(model(seen).flatten(0, -2), wanted.flatten()))


def trained(
    name: str, count: int, device: str = "cpu", rounds: int = ROUNDS, alone: int = ALONE, steps: int | None = None
) -> dict[str, object]:
    """A row: both sides train in turn, the median of some rounds of each.

    Args:
        name: of the task.
        count: candidates that train together.
        device: of both sides.
        rounds: of each side.
        alone: candidates that the baseline trains in a round.
        steps: of a training; None: as many as the first rung has.
    """
    pool = programs(count)
    rung = task_class(name).rungs[0]
    rung = Rung(steps or rung.steps, rung.batch)
    pairs = [(together(name, pool, rung, device), one_by_one(name, pool[:alone], rung, device)) for _ in range(rounds)]
    fast, plain = (median(side) for side in zip(*pairs, strict=True))
    return {
        "name": f"candidate-steps/{name}/{count}" + ("/cuda" if device == "cuda" else ""),
        "value": fast,
        "unit": "candidate-steps/s",
        "baseline": BASELINE,
        "ratio": fast / plain,
    }


def engine(count: int, device: str = "cpu", rounds: int = ROUNDS) -> dict[str, object]:
    """A row: elements times live operations a second on rows of the size of `digits-mlp`."""
    pool = programs(count)
    layout = Layout(tuple(parameter.shape for parameter in task_class("digits-mlp").parameters))
    graphs = [trace(program) for program in pool]
    operations = layout.elements * sum(len(graph.live_statements) for graph in graphs)
    engines = [ProgramEngine(pool, layout, device, compiled) for compiled in (True, False)]
    for program_engine in engines:
        program_engine.parameters.normal_()
        program_engine.gradients.normal_()
    pairs = [[operations / seconds_a_step(each, device) for each in engines] for _ in range(rounds)]
    fast, plain = (median(side) for side in zip(*pairs, strict=True))
    return {
        "name": f"primitive-operations/{count}" + ("/cuda" if device == "cuda" else ""),
        "value": fast,
        "unit": "operations/s",
        "baseline": "plain torch, rows grouped by structure",
        "ratio": fast / plain,
    }


def seconds_a_step(one: ProgramEngine, device: str, repeat: int = 20) -> float:
    def steps(count: int) -> None:
        for step in range(count):
            one.step(1e-3, step + 1)
        synchronize(device)

    steps(2)
    return timed(lambda: steps(repeat)) / repeat


def timed(action: Callable[[], None]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def rows() -> list[dict[str, object]]:
    keep_freed_memory()
    found = [
        trained("digits-mlp", 64),
        trained("digits-mlp", 256),
        trained("mnist5k-conv", 32),
        trained("text-transformer", 32),
        engine(64),
        engine(256),
    ]
    if torch.cuda.is_available():
        found += [
            trained("digits-mlp", 4096, "cuda"),
            trained("text-transformer", 512, "cuda"),
            engine(4096, "cuda"),
        ]
    return found
