"""How much a search is slowed by the dashboard's page of its run, open in a browser beside it.

`python tests/benchmarks/beside_dashboard.py`: searches with and without the page, in turn, and prints the seconds that
each took and the slow-down of the medians. The search trains in one process; the page renews itself as long as the
search goes on. Needs chromium.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from browser import browser, served, visit

PAIRS = 5
SEARCH = "search optimizer --seed 1 --births 4000 --set lengths=0.5 --set review_every=0 --executor inline --name run"


def main() -> None:
    with browser() as started:
        search_seconds(None)  # compiles kernels, which later searches read
        pairs = [(search_seconds(None), search_seconds(started)) for _ in range(PAIRS)]
    alone, beside = ([pair[side] for pair in pairs] for side in (0, 1))
    print("alone  ", " ".join(f"{seconds:.1f}" for seconds in alone), f"s, median {median(alone):.1f}")
    print("beside ", " ".join(f"{seconds:.1f}" for seconds in beside), f"s, median {median(beside):.1f}")
    print(f"slower by {100 * (median(beside) / median(alone) - 1):+.1f} %")


def search_seconds(started: Any) -> float:
    """Seconds that a search takes from start to end; with a browser, while the page of its run is open."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "runs.db"
        words = [sys.executable, "-m", "germline", *SEARCH.split(), "--db", str(database)]
        began = time.monotonic()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if started is None:
            assert process.wait() == 0
            return time.monotonic() - began
        while not database.exists():
            time.sleep(0.1)
        time.sleep(2)  # until the run is recorded
        with served(database) as port:
            page = visit(started)
            page.open(f"http://127.0.0.1:{port}/run?name=run")
            while process.poll() is None:
                page.page.wait_for_timeout(200)
            seconds = time.monotonic() - began
            page.page.context.close()
        assert process.returncode == 0
        return seconds


if __name__ == "__main__":
    main()
