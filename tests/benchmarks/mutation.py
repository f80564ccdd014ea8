"""What a mutation of Deep GA's network costs, and the replay of a genome of 100 generations.

All sides add σ times normal noise to 4,052,658 float32 parameters on one thread, in turns, and the best of each counts:
torch's generator, numpy's fastest one, a slice of a shared table of noise (256 MiB here; the authors' takes 1 GB, and
slices of it overlap), and ours, which needs no table.
"""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from germline.programs.policy.genome import Policy, write
from germline.programs.policy.network import Network
from germline.programs.policy.noise import SEEDS
from germline.programs.policy.parameters import initial_parameters, mutate, replay

NETWORK = Network("conv", (4, 84, 84), 18)
SIGMA = 0.002
ROUNDS = 12


def with_torch(parameters: torch.Tensor, seed: int) -> None:
    parameters.add_(torch.randn(len(parameters), generator=torch.Generator().manual_seed(seed)), alpha=SIGMA)


def with_numpy(parameters: np.ndarray, seed: int) -> None:
    noise = np.random.Generator(np.random.SFC64(seed)).standard_normal(len(parameters), dtype=np.float32)
    noise *= np.float32(SIGMA)
    parameters += noise


def with_table(table: np.ndarray, parameters: np.ndarray, seed: int) -> None:
    first = seed * 104_729 % (len(table) - len(parameters))
    parameters += np.float32(SIGMA) * table[first : first + len(parameters)]


def rows() -> list[dict[str, object]]:
    torch.set_num_threads(1)
    start = initial_parameters(NETWORK, 0)
    table = np.random.default_rng(0).standard_normal(2**26, dtype=np.float32)
    sides: dict[str, Callable[[int], object]] = {
        "torch": partial(with_torch, torch.from_numpy(start.copy())),
        "numpy SFC64": partial(with_numpy, start.copy()),
        "shared table": partial(with_table, table, start.copy()),
        "germline": partial(mutate, start.copy(), sigma=SIGMA),
    }
    best = dict.fromkeys(sides, float("inf"))
    for seed in range(ROUNDS):
        for name, side in sides.items():
            began = time.process_time()
            side(seed)
            best[name] = min(best[name], 1e3 * (time.process_time() - began))
    first, *seeds = np.random.default_rng(0).integers(SEEDS, size=101).tolist()
    policy = Policy(NETWORK, first, tuple((seed, SIGMA) for seed in seeds))
    began = time.process_time()
    replay(policy)
    whole = 1e3 * (time.process_time() - began)
    size, weights = len(write(policy)), 4 * NETWORK.parameter_count
    found = [
        {
            "name": f"mutation against {name}",
            "value": best["germline"],
            "unit": f"ms (it: {best[name]:.1f} ms)",
            "ratio": best[name] / best["germline"],
            "baseline": name,
        }
        for name in sides
        if name != "germline"
    ]
    found.append(
        {"name": "replay of 100 generations", "value": whole, "unit": "ms", "ratio": 1.0, "baseline": "nothing kept"}
    )
    found.append(
        {
            "name": "genome of 100 mutations",
            "value": size,
            "unit": "bytes",
            "ratio": weights / size,
            "baseline": "float32",
        }
    )
    return found
