"""How long the dashboard takes for a run of very many births, until a page shows its first picture and all of it, and
how large its report is.

`python tests/benchmarks/dashboard.py [BIRTHS]`, by default 300,000 births, which take minutes to make.
Each page is opened on a server of its own, which has read nothing before. Needs chromium.
"""

import resource
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from browser import browser, served, visit
from large_runs import large_run

from germline.cli.dashboard.reader import Reader
from germline.cli.dashboard.report import report
from germline.search.garbage_collection import rare_collections

FIRST = {
    "": "h1",
    "run?name=large": "[data-chart=fitness][data-state=drawn]",
    "front?name=large": "[data-chart=front][data-state=drawn]",
    "lineage?name=large": "[data-tree][data-state=drawn]",
    "individual?name=large": "pre",
    "compare?name=large": "[data-chart=compare][data-state=drawn]",
}
"""The first useful picture of each page."""


def main() -> None:
    births = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    with tempfile.TemporaryDirectory() as folder, rare_collections():
        path = Path(folder) / "runs.db"
        large_run(path, births)
        print(f"{births:,} births, {path.stat().st_size / 1e6:.0f} MB")
        with browser() as started:
            for page, picture in FIRST.items():
                with served(path) as port:
                    opened, began = visit(started), time.monotonic()
                    opened.page.goto(f"http://127.0.0.1:{port}/{page}", wait_until="commit")
                    opened.page.locator(picture).first.wait_for()
                    first = time.monotonic() - began
                    opened.wait()
                    print(f"/{page:24} first picture {first:.2f} s, all {time.monotonic() - began:.2f} s")
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
        with closing(Reader(str(path))) as reader:
            size = len(report(reader, "large", "now").encode())
        used = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before
        print(f"report {size / 1e6:.2f} MB in {time.monotonic() - began:.1f} s, {used:.1f} s of CPU")


if __name__ == "__main__":
    main()
