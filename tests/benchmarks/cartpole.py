"""CartPole by the Deep GA: steps of living episodes a second of wall time, and how long from nothing to a solution.

Each side runs in a process of its own (`cartpole_sides.py`), twice, and the better one counts: gymnasium and numpy in a
loop, and this engine whole, with lineage and database, in one process and with two workers. `GERMLINE_PEERS`, the path
of a Python that has EvoTorch, or evosax and gymnax, adds those. A rate leaves out the start, which is imports,
processes, compiling and the first generation; its seconds are printed beside the rate, and so are those of the whole.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SIDES = Path(__file__).parent / "cartpole_sides.py"
PEERS = {"evotorch": "evotorch", "evotorch-2": "evotorch", "evosax": "gymnax, evosax"}
"""What each peer imports."""
ROUNDS = 2


def measured(python: str, side: str, **environment: str) -> dict[str, Any]:
    """What one side printed.

    Raises:
        RuntimeError: it failed; the message is the last line that it wrote.
    """
    done = subprocess.run(
        [python, str(SIDES), side], capture_output=True, text=True, env={**os.environ, **environment}, timeout=1800
    )
    if done.returncode:
        raise RuntimeError(f"{side}: {(done.stderr.strip().splitlines() or ['failed'])[-1]:.200}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def peers(python: str) -> list[str]:
    """The names of the peers that a Python can import."""
    return [
        side
        for side, modules in PEERS.items()
        if subprocess.run([python, "-c", f"import {modules}"], capture_output=True).returncode == 0
    ]


def rate(found: dict[str, Any]) -> float:
    return float(found["steps"] / found["seconds"])


def rows() -> list[dict[str, object]]:
    others = os.environ.get("GERMLINE_PEERS", "")
    pythons = dict.fromkeys(["plain", "germline", "germline-2"], sys.executable)
    pythons |= dict.fromkeys(peers(others) if others else [], others)
    best: dict[str, dict[str, Any]] = {}
    for _ in range(ROUNDS):  # in turns, so that a busy minute of the machine hits all sides
        for side, python in pythons.items():
            found = measured(python, side)
            best[side] = max(best.get(side, found), found, key=rate)
    for side, found in best.items():
        whole = found["start"] + found["seconds"]
        print(
            f"{side:<12}{rate(found):>12,.0f} steps/s after {found['start']:.1f} s, {whole:.1f} s in all; "
            f"{found['steps'] / found['cpu']:,.0f} steps a second of this process on a CPU"
        )
    plain = rate(best["plain"])
    table: list[dict[str, object]] = [
        {
            "name": f"cartpole/{side}",
            "value": rate(found),
            "unit": "steps/s",
            "baseline": "gymnasium and numpy in a loop",
            "ratio": rate(found) / plain,
        }
        for side, found in best.items()
    ]
    return [*table, until_solved("warm"), until_solved("cold")]


def until_solved(cache: str) -> dict[str, object]:
    """A row: the time from the start of a process to a review whose mean is 500. `cold` compiles everything anew."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {"NUMBA_CACHE_DIR": folder} if cache == "cold" else {}
        found = measured(sys.executable, "solved", **environment)
    laps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found["laps"].items())
    print(f"{cache} cache: {laps}; {found['births']} births, {found['steps']:,} steps")
    seconds = found["laps"]["solved"]
    return {
        "name": f"cartpole/solved/{cache}-cache",
        "value": 1_000 * seconds,
        "unit": "ms",
        "baseline": "10 s",
        "ratio": 10 / seconds,
    }
