"""Measures networks of cells that train together against networks that train one after the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import launches
import stacked
import torch
from device_checks import drawn
from device_step import Results, extra
from stacked import seconds
from torch import Tensor

from germline.evaluators.architecture.trainer import Networks, initial_networks, train_together
from germline.evaluators.device import compute_exactly
from germline.evaluators.task import Rung
from germline.programs.architecture.skeleton import Skeleton

IMAGES = 1_200


def cells(
    device: str,
    name: str,
    channels: int,
    number: int,
    side: int,
    count: int,
    steps: int,
    batch: int,
    alone: int,
    profiled: tuple[int, int],
) -> Results:
    """Networks of cells together against one after the other.

    Args:
        device: of both sides.
        name: of the row.
        channels, number: of the cells.
        side: of the images.
        count: number of networks that train together.
        steps, batch: of a training.
        alone: number of networks that the baseline trains.
        profiled: steps of the two trainings whose launches are counted.
    """
    skeleton, rung = Skeleton(channels, number, 10, (3 if side == 32 else 1, side, side)), Rung(steps, batch)
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(IMAGES, *skeleton.image, generator=generator)
    labels = torch.randint(0, skeleton.classes, (IMAGES,), generator=generator)
    architectures, on_device = drawn(count, skeleton), (images.to(device), labels.to(device))
    built: list[Networks] = []
    times = {"build": seconds(lambda: built.append(initial_networks(architectures, skeleton, 0, device)))}
    for state in ("cold", "warm"):
        times[state] = seconds(lambda: _train(built[0], count, rung, *on_device, device))
        yield {"summary": f"{count * steps / times[state]:,.0f} candidate-steps/s ({state})", "seconds_of": times}
    data = images, labels, device
    stacked.one_after_the_other(architectures[:1], skeleton, Rung(min(steps, 3), batch), *data)
    few = architectures[:: count // alone][:alone]
    times["baseline"] = seconds(lambda: stacked.one_after_the_other(few, skeleton, rung, *data))
    row: dict[str, Any] = {
        "name": f"stacked/{name}" + ("/cuda" if device == "cuda" else ""),
        "value": count * steps / times["warm"],
        "unit": "candidate-steps/s",
        "baseline": "one network after the other, each with a fresh DataLoader",
        "ratio": (times["baseline"] / alone) / (times["warm"] / count),
    }
    yield {"summary": f"{row['value']:,.0f} candidate-steps/s, {row['ratio']:.1f}x", "rows": [row]}
    if device == "cuda":
        with torch_defaults():
            stacked.one_after_the_other(architectures[:1], skeleton, Rung(min(steps, 3), batch), *data)
            times["baseline_with_tf32"] = seconds(lambda: stacked.one_after_the_other(few, skeleton, rung, *data))
        yield {"seconds_of": times}
    on_gpu = device == "cuda"
    stacked_networks = built[0] if on_gpu else initial_networks(architectures, skeleton, 0, device, stacked=True)
    _train(stacked_networks, count, Rung(1, batch), *on_device, device)
    yield extra(
        "per_step",
        lambda: launches.per_step(
            lambda few: _train(stacked_networks, count, Rung(few, batch), *on_device, device), device, profiled
        ),
    )


def _train(networks: Networks, count: int, rung: Rung, images: Tensor, labels: Tensor, device: str) -> object:
    return train_together(
        networks, count, rung, (0,), len(images), lambda index: (images[index], labels[index]), device
    )


@contextmanager
def torch_defaults() -> Iterator[None]:
    """Convolutions on a GPU as torch has them by default: with TF32, and not the same bits each time."""
    torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32 = False, True
    try:
        yield
    finally:
        compute_exactly("cuda")
