"""`make bench`: every benchmark, both sides in one run; prints a table and writes `bench.json`.

Each row has a name, a value with its unit, what it is compared with, and the ratio of the two. Absolute numbers drift
with the machine; the ratio is what to look at.
"""

import argparse
import json
import warnings
from pathlib import Path

import atari
import behaviour_maps
import breeding
import candidate_steps
import cartpole
import cells
import documented_modules
import evolution_strategies
import exported_optimizers
import hard_maze
import module_tasks
import mutation
import nb201
import own_networks
import stacked
import strategies
import torch

BENCHMARKS = {
    "atari": atari.rows,
    "behaviour-maps": behaviour_maps.rows,
    "breeding": breeding.rows,
    "candidate-steps": candidate_steps.rows,
    "cartpole": cartpole.rows,
    "cells": cells.rows,
    "documented-modules": documented_modules.rows,
    "evolution-strategies": evolution_strategies.rows,
    "exported-optimizers": exported_optimizers.rows,
    "hard-maze": hard_maze.rows,
    "mutation": mutation.rows,
    "nb201": nb201.rows,
    "module-tasks": module_tasks.rows,
    "own-networks": own_networks.rows,
    "stacked": stacked.rows,
    "strategies": strategies.rows,
}
QUICK = ("breeding", "candidate-steps", "cells", "stacked")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = f"any of {', '.join(BENCHMARKS)}; {', '.join(QUICK)} unless given"
    # An empty list is a choice, since argparse checks what it takes for no names, too.
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME", help=known)
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows = [row for name in options.names or QUICK for row in BENCHMARKS[name]()]
    print(f"{'name':<36}{'value':>14} {'unit':<28}{'ratio':>8}  baseline")
    for row in rows:
        print(f"{row['name']:<36}{row['value']:>14,.0f} {row['unit']:<28}{row['ratio']:>7.2f}x  {row['baseline']}")
    options.out.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
