"""What helps a search: its gain with and without each operator, islands and the tuning of constants, over seeds.

A way to search is a set of settings: `base` has insert, delete, modify and tune with the weights of the preset `quick`,
`+NAME` adds an operator or a technique, `all` adds all operators, `all-NAME` leaves one of these out, and `all+tuning`
and `all+size` add the tuning of constants, and children that keep the size of their parent's updates, to all operators.
The gain of a search is the fitness of its best individual minus that of its start program, both on the search's own
proxy, so it includes the luck of the best, for every way alike. Searches of one seed have the same initial weights and
batches, so ways are compared by differences within seeds: bootstrap intervals (percentiles of 10,000 means), and the p
of the exact sign-flip test.

Each finished search is a line of a JSONL file, and is not repeated: interrupt the script and start it again. Several
processes may share the work (`--part 0/2`, `--part 1/2`), each with a file of its own; the report takes all files.

    python tests/benchmarks/variation.py --out /tmp/variation.jsonl --task text-transformer \
        --set functions=extended --set lengths=1 --evaluations 2000 --seeds 10
    python tests/benchmarks/variation.py --report /tmp/variation.jsonl

There are twenty ways, of which `--ways` chooses some. On one core a search of 2,000 evaluations takes half a minute to
two minutes on digits-mlp with `lengths=0.5`, and ten minutes on text-transformer.
"""

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from germline.db.store import Store
from germline.search.run import evolve, new_run
from germline.search.significance.sign_flip import sign_flip_p

BASE = {"insert": 1.0, "delete": 1.0, "modify": 2.0, "tune": 3.0}
NEW = ("replace", "wrap", "unwrap", "idiom", "graft", "cross")
TUNING = ("tune_every=4",)
SIZE = "keep_size=on"
RESAMPLES = 10_000


def ways(weight: float) -> dict[str, Sequence[str]]:
    """The settings of each way; `weight` is that of each new operator."""
    new = dict.fromkeys(NEW, weight)
    weights = {
        "base": BASE,
        **{f"+{name}": {**BASE, name: weight} for name in NEW},
        "all": {**BASE, **new},
        **{f"all-{name}": {**BASE, **{key: new[key] for key in NEW if key != name}} for name in NEW},
    }
    operators = {way: ",".join(f"{name}:{value:g}" for name, value in of.items()) for way, of in weights.items()}
    settings: dict[str, Sequence[str]] = {way: [f"operators={text}"] for way, text in operators.items()}
    base, every = settings["base"], settings["all"]
    settings["+islands"] = [*base, "strategy=islands", "islands=lion,rmsprop"]
    settings["+tuning"] = [*base, *TUNING]
    settings["+size"] = [*base, SIZE]
    settings["all+tuning"] = [*every, *TUNING]
    settings["all+size"] = [*every, SIZE]
    settings["all+tuning+size"] = [*every, *TUNING, SIZE]
    return settings


def searched(way: str, own: Sequence[str], seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """The row of a finished search with the settings of a way."""
    settings = ["review_every=0", *options.set, *own]
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, Store(str(Path(folder) / "runs.db")) as store:
        run = new_run(store, task=options.task, settings=settings, seed=seed, evaluations=options.evaluations)
        *_, last = evolve(store, run.name)
        assert last.best is not None and last.best.fitness is not None
        assert last.start is not None and last.start.fitness is not None
        return {
            **identity(way, own, seed, options),
            "gain": last.best.fitness - last.start.fitness,
            "fitness": last.best.fitness,
            "birth": last.best.individual.birth,
            "operator": last.best.individual.operator,
            "genome": last.best.individual.genome,
            "births": last.births,
            "spent": last.evaluations,
            "seconds": round(time.perf_counter() - started, 1),
        }


def identity(way: str, own: Sequence[str], seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """What distinguishes a search from the others in a file; `own` are the settings of its way."""
    return {
        "task": options.task,
        "evaluations": options.evaluations,
        "settings": options.set,
        "weight": options.weight,
        "way": way,
        "own": list(own),
        "seed": seed,
    }


def interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of at least two values."""
    rng = np.random.default_rng(0)
    means = rng.choice(np.array(values), (RESAMPLES, len(values))).mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def report(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints, for each experiment, a line for each way, with its difference from the way without what it has more."""
    experiments: dict[str, dict[str, dict[int, float]]] = {}
    for row in rows:
        key = f"{row['task']}, {row['evaluations']} evaluations, {' '.join(row['settings'])}, weight {row['weight']:g}"
        experiments.setdefault(key, {}).setdefault(row["way"], {})[row["seed"]] = row["gain"]
    for key, gains in experiments.items():
        print(key)
        print(f"  {'way':<14}{'seeds':>6}{'mean gain':>11}{'95 %':>20}   difference within seeds, 95 %")
        for way in (name for name in ways(1.0) if name in gains):
            values = list(gains[way].values())
            line = f"  {way:<14}{len(values):>6}{np.mean(values):>11.4f}{shown(values):>20}"
            for more, less in compared(way):
                both = sorted(set(gains.get(more, ())) & set(gains.get(less, ())))
                differences = [gains[more][seed] - gains[less][seed] for seed in both]
                if differences:
                    p = f", p {sign_flip_p(differences):.2g}" if len(differences) > 1 else ""
                    line += f"   {more} - {less} {np.mean(differences):+.4f} {shown(differences)}{p}"
            print(line)


def compared(way: str) -> Sequence[tuple[str, str]]:
    """The comparison of a way: with `base` or, if it is `all` with more or less, with `all`."""
    if way == "base":
        return ()
    if way.startswith("all-"):
        return (("all", way),)
    return ((way, "all" if way.startswith("all+") else "base"),)


def shown(values: Sequence[float]) -> str:
    return "[{:.4f}, {:.4f}]".format(*interval(values)) if len(values) > 1 else "[one seed]"


def drop_cut_line(path: Path) -> None:
    """Removes a last line that was being written when the script was killed."""
    text = path.read_text() if path.exists() else ""
    if text and not text.endswith("\n"):
        path.write_text(text[: text.rfind("\n") + 1])


def read(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The rows of files that exist; a last line that was cut off is left out."""
    lines = [line for path in paths if path.exists() for line in path.read_text().splitlines(keepends=True)]
    return [json.loads(line) for line in lines if line.endswith("\n")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("variation.jsonl"), help="file of results, appended to")
    parser.add_argument("--task", default="digits-mlp")
    parser.add_argument("--evaluations", type=int, default=2_000)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--ways", nargs="*", default=list(ways(1.0)), choices=list(ways(1.0)))
    parser.add_argument("--weight", type=float, default=1.0, help="weight of each new operator")
    parser.add_argument("--set", action="append", default=[], help="settings of all searches, as key=value")
    parser.add_argument("--part", default="0/1", help="which share of the searches: 0/2 or 1/2 of two processes")
    parser.add_argument("--report", type=Path, nargs="+", help="print the results of these files, and search nothing")
    options = parser.parse_args()
    if options.report:
        report(read(options.report))
        return
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    part, parts = map(int, options.part.split("/"))
    by_way = ways(options.weight)
    drop_cut_line(options.out)
    done = [{key: row[key] for key in identity("", (), 0, options)} for row in read([options.out])]
    todo = [(way, seed) for seed in range(1, options.seeds + 1) for way in options.ways]
    for way, seed in todo[part::parts]:
        if identity(way, by_way[way], seed, options) in done:
            continue
        row = searched(way, by_way[way], seed, options)
        with options.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{way} seed {seed}: gain {row['gain']:.4f} in {row['seconds']:.0f} s, by {row['operator']}", flush=True)
    report(read([options.out]))


if __name__ == "__main__":
    main()
