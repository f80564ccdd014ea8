"""Networks trained together against networks trained one after the other.

The baseline is EEEA-Net's way: for each network a fresh `DataLoader` over the images, and the plain modules with
`torch.optim.SGD`. Both sides train the same networks, for as many steps of as many images, with one thread.
"""

import itertools
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from germline.evaluators.architecture.trainer import (
    DECAY,
    MAX_GRADIENT_NORM,
    MOMENTUM,
    RATE,
    initial_networks,
    train_together,
)
from germline.evaluators.memory import keep_freed_memory
from germline.evaluators.task import Rung
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.network import Network
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace

IMAGES = 1_200
SEED = (0, 0)


def seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def one_after_the_other(
    architectures: Sequence[Architecture],
    skeleton: Skeleton,
    rung: Rung,
    images: Tensor,
    labels: Tensor,
    device: str = "cpu",
) -> None:
    for architecture in architectures:
        torch.manual_seed(0)
        network = Network(architecture, skeleton).to(device)
        optimizer = torch.optim.SGD(network.parameters(), RATE, MOMENTUM, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, rung.steps)
        loader = DataLoader(TensorDataset(images, labels), rung.batch, shuffle=True, drop_last=True)
        epochs = itertools.chain.from_iterable(itertools.repeat(loader))
        for seen, wanted in itertools.islice(epochs, rung.steps):
            optimizer.zero_grad()
            F.cross_entropy(network(seen.to(device)), wanted.to(device)).backward()
            nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
            optimizer.step()
            schedule.step()


def together(
    architectures: Sequence[Architecture],
    skeleton: Skeleton,
    rung: Rung,
    images: Tensor,
    labels: Tensor,
    device: str = "cpu",
) -> None:
    count, started = len(architectures), initial_networks(architectures, skeleton, 0, device)
    images, labels = images.to(device), labels.to(device)
    train_together(started, count, rung, SEED, len(images), lambda index: (images[index], labels[index]), device)


def row(
    name: str,
    skeleton: Skeleton,
    count: int,
    rung: Rung,
    rounds: int = 1,
    device: str = "cpu",
    alone: int | None = None,
) -> dict[str, object]:
    """A row; the baseline trains the first `alone` networks of each round (None: all of them)."""
    space = ArchitectureSpace(SPACES["eeea-paper"], skeleton)
    rng = np.random.default_rng(0)
    architectures = [space.draw(rng).genome for _ in range(count)]
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(IMAGES, *skeleton.image, generator=generator)
    labels = torch.randint(0, skeleton.classes, (IMAGES,), generator=generator)
    keep_freed_memory()
    # The first use compiles, or reads what is compiled.
    data = images, labels, device
    together(architectures[:1], skeleton, Rung(1, rung.batch), *data)
    ours, theirs, compared = 0.0, 0.0, 0
    # Parts of both sides take turns, so that what else runs on the machine burdens both.
    for part in np.array_split(np.arange(count), rounds):
        some = [architectures[number] for number in part]
        few = some[:alone]
        compared += len(few)
        ours += seconds(lambda some=some: together(some, skeleton, rung, *data))
        theirs += seconds(lambda few=few: one_after_the_other(few, skeleton, rung, *data))
    return {
        "name": f"stacked/{name}" + ("/cuda" if device == "cuda" else ""),
        "value": count * rung.steps / ours,
        "unit": "candidate-steps/s",
        "baseline": "one network after the other, each with a fresh DataLoader",
        "ratio": (theirs / compared) / (ours / count),
    }


def rows() -> list[dict[str, object]]:
    return [
        row("quick-16", Skeleton(8, 3, 10, (1, 8, 8)), 16, Rung(30, 64), 4),
        row("mnist5k-8", Skeleton(8, 3, 10, (1, 28, 28)), 8, Rung(4, 64), 2),
        row("proxy-2", Skeleton(16, 8, 10, (3, 32, 32)), 2, Rung(2, 128)),
    ]
