"""Lineages of genomes whose texts grow with each generation, as those of policies do."""

from collections.abc import Sequence
from random import Random

from germline.db.records import Individual
from germline.db.store import Store

START = '{"network": {"form": "mlp", "observation": [8], "hidden": [32, 32]}, "layout": "5e2d0c1a", "mutations": []}'


def child(text: str, draw: Random) -> str:
    """The genome with a mutation more."""
    comma = ", " if "[[" in text else ""
    return f"{text[:-2]}{comma}[{draw.randrange(1 << 32)}, 0.02]]}}"


def lineage(generations: int, width: int = 3, seed: int = 1, start: str = START) -> list[Individual]:
    """Individuals of some generations: each has a random parent in the generation before."""
    draw = Random(seed)
    births: list[Individual] = []
    for generation in range(generations):
        for place in range(width):
            birth = len(births)
            parent = births[(generation - 1) * width + draw.randrange(width)] if generation else None
            text = child(parent.genome, draw) if parent else f"{start[:-2]}[{place}, 0.5]]}}"
            parents, operator = ((parent.birth,), "mutate") if parent else ((), "random")
            births.append(Individual(birth, generation, parents, operator, text, f"print-{seed}-{birth}"))
    return births


def record(store: Store, name: str, births: Sequence[Individual], block: int = 3) -> int:
    """Records a run of these individuals, block by block; returns its id."""
    run = store.create_run(name, "policy", "line", "quick", 0, {}, {})
    for first in range(0, len(births), block):
        store.add_individuals(run.id, "policy", births[first : first + block])
    store.release(run.id, "stopped", 0.0)
    return run.id
