"""Evaluations a second of a search with one worker of Ray and with two, on one node and on a node each, for each task.

`python tests/benchmarks/ray_workers.py [TASK …]`. The same search runs three times for some seconds, and the times up
to the same number of evaluations are compared: from the first recorded pack of each worker on, so that the start of
processes does not count. All rates include the driver, which breeds and records on the same cores. The machine must
have nothing else to do. NAS-Bench-201's tables are left out: to look a cell up takes less than to send it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__)
NODES = HERE.parents[1] / "reliability" / "ray_nodes.py"
OPTIMIZER = ["pack=4", "lengths=0.25", "hurdle=0", "review_every=0", "warmup=0"]
ARCHITECTURE = ["pack=4", "strategy=random"]
POLICY = ["population=64", "pack=32", "candidates=0"]  # without reviews, since a review takes many times as long
TASKS = {
    **dict.fromkeys(
        [
            *("digits-mlp", "mnist5k-conv", "text-transformer", "text-transformer-deep", "text-gru", "text-conv"),
            *("mnist5k-autoencoder", "mnist5k-noisy", "digits-small-batch", "diamonds-mlp", "digits-deep"),
        ],
        ("optimizer", OPTIMIZER),
    ),
    **dict.fromkeys(["digits-cells", "mnist5k-cells"], ("architecture", ARCHITECTURE)),
    **dict.fromkeys(
        [
            *("hard-maze", "hard-maze-pixels", "gym:CartPole-v1", "gym:Acrobot-v1", "gym:LunarLander-v3"),
            "gym:HalfCheetah-v5",
        ],
        ("policy", POLICY),
    ),
    "atari:frostbite": ("policy", [*POLICY, "steps=200"]),  # a whole episode takes seconds
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", metavar="TASK", default=list(TASKS))
    parser.add_argument("--seconds", type=float, default=10.0, help="of each of the three searches")
    parser.add_argument("--search", nargs=2, metavar=("WORKERS", "ADDRESS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.search:
        workers, address = options.search
        print(json.dumps(series(options.tasks[0], int(workers), address or None, options.seconds)))
        return
    cluster = subprocess.Popen(
        [sys.executable, str(NODES), "2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert cluster.stdout and cluster.stdin
    address = json.loads(cluster.stdout.readline())["address"]
    print("| task | evaluations/s, one worker | two workers | two workers, on a node each |\n|---|---|---|---|")
    for task in options.tasks:
        runs = [measured(task, *form, options.seconds) for form in ((1, ""), (2, ""), (2, address))]
        last = min(run[-1][1] for run in runs)
        rates = [rate(run, last) for run in runs]
        others = (f"{each:.3g} ({each / rates[0]:.2f}×)" for each in rates[1:])
        print(f"| `{task}` | {rates[0]:.3g} | {' | '.join(others)} |", flush=True)
    cluster.stdin.close()
    cluster.wait()


def measured(task: str, workers: int, address: str, seconds: float) -> list[tuple[float, int]]:
    """`series` in a process of its own."""
    words = [task, "--seconds", str(seconds), "--search", str(workers), address]
    done = subprocess.run([sys.executable, str(HERE), *words], stdout=subprocess.PIPE, text=True, check=True)
    return [(at, count) for at, count in json.loads(done.stdout.splitlines()[-1])]


def series(task: str, workers: int, address: str | None, seconds: float) -> list[tuple[float, int]]:
    """The seconds since as many packs as workers were recorded, and the number of evaluations, after each pack."""
    from germline.db.store import Store
    from germline.search.run import evolve, new_run

    kind, settings = TASKS[task]
    counts: list[tuple[float, int]] = []
    with tempfile.TemporaryDirectory() as folder, Store(str(Path(folder) / "runs.db")) as store:
        run = new_run(store, kind=kind, task=task, settings=settings, seed=1, births=1_000_000)
        for progress in evolve(store, run.name, workers=workers, executor="ray", ray_address=address):
            now = time.monotonic()
            if progress.evaluations and (not counts or progress.evaluations > counts[-1][1]):
                counts.append((now, progress.evaluations))
            if len(counts) > workers + 3 and now - counts[workers - 1][0] > seconds:
                break
    counts = counts[workers - 1 :]
    return [(at - counts[0][0], count) for at, count in counts]


def rate(counts: list[tuple[float, int]], last: int) -> float:
    """Evaluations a second up to about `last` evaluations."""
    at, count = next(each for each in counts if each[1] >= last)
    return (count - counts[0][1]) / at


if __name__ == "__main__":
    main()
