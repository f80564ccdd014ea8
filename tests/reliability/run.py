"""`make reliability`: runs scenarios with their full counts and writes docs/reliability.md.

usage: run.py [SCENARIO …]; without names, all of them. Figures of scenarios that are not run stay as they were.
"""

import argparse
import datetime
import json
import signal
import tempfile
from dataclasses import asdict
from pathlib import Path

from scenarios import SCENARIOS

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PAGE = HERE.parent.parent / "docs" / "reliability.md"
INTRODUCTION = HERE / "introduction.md"


def main() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="SCENARIO", help=f"any of {', '.join(names)}; all unless given")
    parser.add_argument("--count", type=int, help="number of cases instead of the full count; nothing is written")
    options = parser.parse_args()
    unknown = set(options.names) - set(names)
    if unknown:
        parser.error(f"expected names of scenarios ({', '.join(names)}), got {', '.join(sorted(unknown))}")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background by a shell; children inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for scenario in SCENARIOS:
        if options.names and scenario.name not in options.names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            result = scenario.run(options.count or scenario.full, Path(folder))
        print(f"{result.row} {scenario.name}: {result.count} cases, {len(result.failures)} failures", end="")
        print(f", {result.seconds:.0f} s{'; ' + result.note if result.note else ''}", flush=True)
        for failure in result.failures[:20]:
            print(f"  {failure}", flush=True)
        if not options.count:
            record(scenario.name, {**asdict(result), "date": datetime.date.today().isoformat()})


def record(name: str, result: dict[str, object]) -> None:
    """Keeps the result of a scenario, and writes the page anew."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[name] = {key: value for key, value in result.items() if key != "failures"}
    results[name]["failures"] = len(result["failures"])  # type: ignore[arg-type]
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    PAGE.write_text(page(results))


def page(results: dict[str, dict[str, object]]) -> str:
    """The page: an introduction, and a row for each scenario in the order of their requirements."""
    lines = [
        INTRODUCTION.read_text().rstrip() + "\n",
        "| row | what | cases | failures | date | again |",
        "|---|---|---|---|---|---|",
    ]
    for name, result in sorted(results.items(), key=lambda item: (str(item[1]["row"]), item[0])):
        note = f" ({result['note']})" if result["note"] else ""
        again = f"`make reliability SCENARIOS={name}`"
        lines.append(
            f"| {result['row']} | {result['what']}{note} | {result['count']:,} | {result['failures']:,} "
            f"| {result['date']} | {again} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
