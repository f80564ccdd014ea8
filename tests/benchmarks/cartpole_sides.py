"""One side of the CartPole benchmark, in a process of its own: `python cartpole_sides.py NAME` prints JSON.

All sides search the weights of one network, 4-32-32-2 with tanh, by mutation and truncation: 64 children a generation,
10 parents with the best so far among them, one episode of at most 500 steps each. Counted are steps of living episodes,
after the first generation: what comes before that is the start.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

BEGAN = time.perf_counter()
POPULATION, PARENTS, SIGMA, STEPS, GENERATIONS = 64, 10, 0.1, 500, 30
WIDTHS = (4, 32, 32, 2)
PARAMETERS = sum((n + 1) * m for n, m in pairwise(WIDTHS))


def truncation(evaluate: Callable[[Any], Any]) -> Iterator[int]:
    """The search of all sides but germline's: yields the sum of the steps of each generation.

    `evaluate` returns the return, which is the number of steps, of each policy, `[64]`, from parameters `[64, P]`.
    """
    import numpy as np

    rng = np.random.default_rng(1)
    children = first(rng)
    best, most = children[0], -1.0
    for _ in range(GENERATIONS):
        returns = np.asarray(evaluate(children))
        order = np.argsort(-returns, kind="stable")
        if returns[order[0]] > most:
            best, most = children[order[0]].copy(), returns[order[0]]
        parents = np.concatenate([best[None], children[order[: PARENTS - 1]]])
        children = parents[rng.integers(PARENTS, size=POPULATION)]
        children += np.float32(SIGMA) * rng.standard_normal(children.shape, np.float32)
        yield int(returns.sum())


def first(rng: Any) -> Any:
    """Initial parameters, float32 `[64, P]`: of each layer the weights, then the biases, which are zero."""
    import numpy as np

    layers = []
    for inputs, units in pairwise(WIDTHS):
        gain = (1.0 if units == 32 else 0.1) / np.sqrt(inputs)
        layers += [gain * rng.standard_normal((POPULATION, inputs * units)), np.zeros((POPULATION, units))]
    return np.concatenate(layers, 1).astype(np.float32)


def plain() -> Iterator[int]:
    """A loop over gymnasium's environment, with a forward pass in numpy."""
    import gymnasium
    import numpy as np

    environment = gymnasium.make("CartPole-v1", disable_env_checker=True)

    def evaluate(children: Any) -> list[int]:
        lengths = []
        for number, child in enumerate(children):
            layers, at = [], 0
            for inputs, units in pairwise(WIDTHS):
                end = at + inputs * units
                layers.append((child[at:end].reshape(inputs, units), child[end : end + units]))
                at = end + units
            (a, b), (c, d), (e, f) = layers
            seen, _ = environment.reset(seed=number)
            over, length = False, 0
            while not over:
                action = int((np.tanh(np.tanh(seen @ a + b) @ c + d) @ e + f).argmax())
                seen, _, terminated, truncated, _ = environment.step(action)
                over, length = terminated or truncated, length + 1
            lengths.append(length)
        return lengths

    return truncation(evaluate)


def evotorch(actors: int) -> Iterator[int]:
    import torch
    from evotorch.neuroevolution import GymNE

    torch.set_num_threads(1)
    network = "Linear(4, 32) >> Tanh() >> Linear(32, 32) >> Tanh() >> Linear(32, 2)"
    problem = GymNE("CartPole-v1", network, num_actors=actors or None)
    assert problem.solution_length == PARAMETERS

    def evaluate(children: Any) -> Any:
        batch = problem.generate_batch(POPULATION)
        batch.set_values(torch.from_numpy(children))
        problem.evaluate(batch)
        return batch.evals[:, 0].numpy()

    return truncation(evaluate)


def evosax() -> Iterator[int]:
    import jax
    import jax.numpy as jnp
    from evosax.problems import GymnaxProblem
    from evosax.problems.networks import MLP

    policy = MLP(layer_sizes=WIDTHS[1:], output_fn=lambda outputs, key: jnp.argmax(outputs))
    problem = GymnaxProblem("CartPole-v1", policy, episode_length=STEPS, use_normalize_obs=False)
    key = jax.random.key(0)
    state = problem.init(key)
    form = jax.tree.structure(policy.init(key, jnp.zeros(4), key))
    shapes = [(32,), (4, 32), (32,), (32, 32), (2,), (32, 2)]  # biases come first in their dictionaries

    def evaluate(children: Any) -> Any:
        nonlocal key
        key, now = jax.random.split(key)
        leaves, at = [], 0
        for shape in shapes:
            size = shape[0] * (shape[1] if len(shape) > 1 else 1)
            leaves.append(jnp.asarray(children[:, at : at + size].reshape(POPULATION, *shape)))
            at += size
        returns, _, _ = problem.eval(now, jax.tree.unflatten(form, leaves), state)
        return returns

    return truncation(evaluate)


def germline(workers: int) -> Iterator[int]:
    """The whole engine: lineage, records in a database, and Ray for more than one worker."""
    import tempfile
    from pathlib import Path

    from germline.db.store import Store
    from germline.search.run import evolve, new_run

    settings = [f"population={POPULATION}", f"parents={PARENTS}", f"sigma={SIGMA}", f"pack={POPULATION // workers}"]
    settings += ["candidates=0", "test_episodes=0"]
    with tempfile.TemporaryDirectory() as folder, Store(str(Path(folder) / "runs.db")) as store:
        births = POPULATION * GENERATIONS
        run = new_run(store, "policy", task="gym:CartPole-v1", settings=settings, seed=1, births=births)
        frames = 0
        for progress in evolve(store, run.name, workers=workers):
            if progress.complete is not None:
                yield progress.frames - frames
                frames = progress.frames


def solved() -> None:
    """A search with the defaults of the command, in this process, until a review's mean is 500.

    Prints births, steps and, for each stage, the seconds since the start of the process.
    """
    import tempfile
    from pathlib import Path

    laps = {}
    from germline.db.store import Store
    from germline.search.run import evolve, new_run

    laps["imports"] = time.perf_counter() - BEGAN
    with tempfile.TemporaryDirectory() as folder, Store(str(Path(folder) / "runs.db")) as store:
        run = new_run(store, "policy", task="gym:CartPole-v1")
        laps["run recorded"] = time.perf_counter() - BEGAN
        for progress in evolve(store, run.name, executor="inline"):
            laps.setdefault("first pack, with what is compiled", time.perf_counter() - BEGAN)
            if progress.complete is not None:
                laps.setdefault("first generation and its reviews", time.perf_counter() - BEGAN)
                if any(one.rung == 1 and one.fitness == STEPS for one in store.evaluations(run.id)):
                    break
        laps["solved"] = time.perf_counter() - BEGAN
        print(json.dumps({"births": progress.births, "steps": progress.frames, "laps": laps}))


SIDES: dict[str, Callable[[], Iterator[int]]] = {
    "plain": plain,
    "evotorch": lambda: evotorch(0),
    "evotorch-2": lambda: evotorch(2),
    "evosax": evosax,
    "germline": lambda: germline(1),
    "germline-2": lambda: germline(2),
}


def main() -> None:
    if sys.argv[1] == "solved":
        solved()
        return
    generations = SIDES[sys.argv[1]]()
    next(generations)
    started, busy = time.perf_counter(), time.process_time()
    steps = sum(generations)
    found = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - busy}
    print(json.dumps({"start": started - BEGAN, "steps": steps, **found}))


if __name__ == "__main__":
    main()
