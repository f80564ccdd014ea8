"""How many bytes a birth takes in a database, how long it takes to write a block, and to read what is there.

`python tests/benchmarks/storage.py policy [--births N]` writes the lineage of a Deep GA, 750 generations of 100 births,
`optimizer` 20,000 births of programs that descend from each other by the language's own operators. Genomes, digests and
parents are real and outcomes invented: what is measured is storage. `--keep FILE` keeps the database.

`python tests/benchmarks/storage.py commands FILE RUN` measures the processor time of commands on a recorded run, each
in a process of its own, and of a resume up to its first new birth, on a copy. Another version of Germline, with another
schema, is measured by its `.namespace/` in PYTHONPATH.
"""

import argparse
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

import numpy as np
from large_runs import large_run

from germline.db.records import EvaluationRecord, Individual, Winner
from germline.db.store import Store
from germline.programs.policy.genome import Policy, fingerprint, write
from germline.programs.policy.network_data import read_network
from germline.search.run import new_run

POPULATION, PARENTS, SIGMA = 100, 20, 0.002
NETWORK = {"form": "mlp", "observation": [8], "hidden": [32, 32], "activation": "tanh", "actions": 4}
REVIEWS = 5
"""Reviews after a generation."""


GENERATIONS = (10, 100, 300, 500, 750, 1000)
"""Where sizes are printed, with what the last `STEP` generations took."""
STEP = 10

COMMANDS = ("runs", "top RUN", "show RUN", "show RUN:LAST", "lineage RUN:LAST", "play RUN --episodes 1", "db check")
COMMAND = "import sys; from germline.cli.start import main; sys.exit(main())"
RESUME = """
import sys
from germline.db.store import Store
from germline.search.run import evolve
path, run, births = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Store(path) as store:
    for progress in evolve(store, run, births=births + 1000, executor="inline", device="cpu"):
        if progress.births > births:
            break
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["policy", "optimizer", "commands"], default="policy")
    parser.add_argument("recorded", nargs="*", help="for commands: a database and the name of a run")
    parser.add_argument("--births", type=int)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.keep or Path(folder) / "runs.db"
        if options.what == "commands":
            database, run = options.recorded
            measure_commands(Path(database), run, Path(folder))
            return
        if options.what == "policy":
            write_policies(path, options.births or 750 * POPULATION)
        else:
            began = time.process_time()
            large_run(path, options.births or 20_000)
            print(f"bred and written in {time.process_time() - began:.1f} s of CPU")
        report(path)


def write_policies(path: Path, births: int) -> None:
    """A run of policies by truncation selection, and what its blocks cost, by generation."""
    draw = Random(1)
    network = read_network(NETWORK)
    with Store(str(path)) as store:
        run = new_run(store, kind="policy", task="gym:LunarLander-v3", name="large", births=births, seed=1)
        parents: list[tuple[int, Policy]] = []
        sizes, spent, spent_before = {0: _bytes(path)}, 0.0, 0.0
        for block in range(births // POPULATION):
            children = [_child(parents, network, draw) for _ in range(POPULATION)]
            first = block * POPULATION
            records = [
                Individual(
                    first + place, block, parent, "mutate" if parent else "random", write(each), fingerprint(each)
                )
                for place, (parent, each) in enumerate(children)
            ]
            outcomes = [_outcome(record, run.task, draw) for record in records]
            reviews = [_outcome(record, run.task, draw, rung=1) for record in records[:REVIEWS]]
            began = time.process_time()
            store.add_individuals(run.id, run.kind, records)
            spent += time.process_time() - began
            store.add_evaluations(run.id, outcomes + reviews, 1.0, [Winner(block, first)])
            ranked = sorted(outcomes, key=lambda each: -(each.fitness or 0.0))[:PARENTS]
            parents = [(each.birth, children[each.birth - first][1]) for each in ranked]
            spent_before = spent if block + 1 + STEP in GENERATIONS else spent_before
            if block + 1 + STEP in GENERATIONS or block + 1 in GENERATIONS:
                sizes[block + 1] = _bytes(path)
            if block + 1 in GENERATIONS:
                each = (sizes[block + 1] - sizes[block + 1 - STEP]) / STEP / POPULATION
                print(
                    f"generation {block + 1:5}: {sizes[block + 1] / 1e6:7.1f} MB, {each:6.0f} bytes"
                    f" a birth, {1e3 * (spent - spent_before) / STEP:.1f} ms of CPU for the births of a block"
                )
        store.release(run.id, "finished", 1.0)


def _child(parents: list[tuple[int, Policy]], network: object, draw: Random) -> tuple[tuple[int, ...], Policy]:
    if not parents:
        return (), Policy(network, draw.randrange(1 << 32))  # type: ignore[arg-type]
    birth, parent = draw.choice(parents)
    return (birth,), parent.child(draw.randrange(1 << 32), SIGMA)


def _outcome(record: Individual, task: str, draw: Random, rung: int = 0) -> EvaluationRecord:
    """An outcome as long as that of LunarLander, whose measures are eight floats of 32 bits."""
    value = 500 * draw.random()
    measures = {"episodes": 1.0, "steps": 100.0, "frames": 100.0}
    measures |= {f"behaviour_{place}": float(np.float32(draw.gauss(0, 1))) for place in range(6)}
    measures |= {"behaviour_6": 0.0, "behaviour_7": 1.0}
    key = (record.birth, record.fingerprint, task, rung, 0)
    return EvaluationRecord(*key, "ok", value, {"return": value}, measures, 0.01, "inline", None)


def measure_commands(path: Path, run: str, folder: Path) -> None:
    """Prints the processor time of each command: the least of three."""
    with Store(str(path), create=False) as store:
        births = store.summary(run).births
    for form in COMMANDS:
        words = form.replace("RUN", run).replace("LAST", str(births - 1)).split()
        _print_least(form, [_processor_time(COMMAND, *words, "--db", str(path)) for _ in range(3)])
    times = []
    for _ in range(3):
        copy = shutil.copy(path, folder / "copy.db")
        times.append(_processor_time(RESUME, str(copy), run, str(births)))
    _print_least("resume, to the first new birth", times)


def _print_least(what: str, times: list[float]) -> None:
    print(f"{what}: {min(times):.2f} s of CPU")


def _processor_time(code: str, *words: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code, *words], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def report(path: Path) -> None:
    """The bytes of each table, and the seconds of reading."""
    with Store(str(path)) as store:
        run = store.run("large")
        births = store.summary("large").births
        best = store.best("large").individual.birth

        def read() -> Iterator[int]:
            return (len(each.genome) for each in store.individuals(run.id))

        readings: dict[str, Callable[[], object]] = {
            "top 10": lambda: store.top("large", 10),
            "the lineage of the best": lambda: store.lineage("large", best),
            "one individual": lambda: store.individual("large", best),
            "all individuals": lambda: sum(read()),
            "check": store.check,
        }
        for name, reading in readings.items():
            began = time.process_time()
            reading()
            print(f"{name}: {time.process_time() - began:.3f} s of CPU")
        with closing(sqlite3.connect(path)) as connection:
            stored = connection.execute("SELECT sum(length(text)) FROM genome").fetchone()[0]
        whole = sum(read())
    print(
        f"{births} births, {_bytes(path) / births:.0f} bytes each, {whole / births:.0f} of them genomes as whole texts"
    )
    print(f"texts take {stored / births:.0f} characters each")


def _bytes(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint (TRUNCATE)").fetchall()
        return int(
            connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]
        )


if __name__ == "__main__":
    main()
