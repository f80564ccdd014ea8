"""How far simplification shrinks programs, how long it takes, and whether it ever changes what they do.

    python tests/benchmarks/simplification.py random --count 5000 --out random.jsonl
    python tests/benchmarks/simplification.py library
    python tests/benchmarks/simplification.py corpus
    python tests/benchmarks/simplification.py search --db germline.db --run optimizer-1 --count 1000

`random` checks every step of random programs over 50 steps, which takes hours for 5,000, and goes on where it stopped.
The other three measure sizes and seconds.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch
from simplification_checks import behaviour, random_program, sizes
from simplification_corpus import CASES

from germline.db.store import Store
from germline.programs.optimizer import Program, library, parse
from germline.programs.optimizer.simplify.trajectory import STEPS

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", choices=("random", "library", "corpus", "search"))
    parser.add_argument("--count", type=int, default=1_000, help="how many programs")
    parser.add_argument("--out", type=Path, default=Path("random.jsonl"), help="rows of random programs")
    parser.add_argument("--db", default="germline.db")
    parser.add_argument("--run", default="optimizer-1")
    options = parser.parse_args()
    torch.set_num_threads(1)
    match options.programs:
        case "random":
            print_behaviour(check_random(options.count, options.out))
        case "library":
            print_sizes({name: sizes(parse(text)) for name, text in library().items()}, each=True)
        case "corpus":
            print_sizes({name: sizes(case.program) for name, case in CASES.items()}, each=False)
        case "search":
            programs = searched(options.db, options.run, options.count)
            print_sizes({str(birth): sizes(program) for birth, program in programs}, each=False)


def check_random(count: int, path: Path) -> list[Row]:
    """The rows of the first `count` random programs that exist, those in the file among them."""
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    number = rows[-1]["number"] + 1 if rows else 0
    with path.open("a") as file:
        while len(rows) < count:
            program = random_program(number)
            if program is not None:
                rows.append({"number": number} | behaviour(program, STEPS))
                file.write(json.dumps(rows[-1]) + "\n")
                file.flush()
            number += 1
    return rows[:count]


def searched(db: str, run: str, count: int) -> list[tuple[int, Program]]:
    """Distinct programs of a search, each with its first birth, spread evenly over the births."""
    with Store(db) as store:
        individuals = list(store.individuals(store.run(run).id))
    births = {individual.genome: individual.birth for individual in reversed(individuals)}
    distinct = sorted((birth, text) for text, birth in births.items())
    chosen = [distinct[i * len(distinct) // count] for i in range(count)] if len(distinct) > count else distinct
    print(f"{len(chosen)} of {len(distinct)} distinct programs")
    return [(birth, parse(text)) for birth, text in chosen]


def print_behaviour(rows: list[Row]) -> None:
    """Figures of random programs."""
    failed = [row for row in rows if row["failed"]]
    steps = Counter(name for row in rows for name in row["steps"])
    print(f"changes of behaviour: {len(failed)} of {len(rows)}")
    for row in failed:
        print(f"  program {row['number']}: {', '.join(failure['rule'] for failure in row['failed'])}")
    print(
        f"steps: {sum(steps.values())} of {len(steps)} rules; {', '.join(f'{n} {c}' for n, c in steps.most_common())}"
    )
    print(f"mean share compared: {fmean(row['compared'] for row in rows):.3f}; ", end="")
    print(f"programs with nothing to compare: {sum(not row['whole'] for row in rows)}")
    print_sizes({str(row["number"]): row for row in rows}, each=False)


def print_sizes(rows: dict[str, Row], each: bool) -> None:
    """Sizes before and after, and seconds."""
    if each:
        print(f"{'program':<24}{'statements':>14}{'live':>6}{'states':>10}{'seconds':>9}  tier")
        for name, row in rows.items():
            (given, states), (live, _), (left, kept) = row["given"], row["live"], row["simplified"]
            figures = f"{f'{given} → {left}':>14}{live:>6}{f'{states} → {kept}':>10}{row['seconds']:>9}"
            print(f"{name:<24}{figures}  {row['tier']}")
    mean = {name: fmean(row[name][0] for row in rows.values()) for name in ("given", "live", "simplified")}
    states = {name: fmean(row[name][1] for row in rows.values()) for name in ("given", "live", "simplified")}
    slowest = max(rows, key=lambda name: rows[name]["seconds"])
    print(f"programs: {len(rows)}")
    print("mean statements: {given:.2f}, live {live:.2f}, simplified {simplified:.2f}".format(**mean))
    print("mean states: {given:.2f}, live {live:.2f}, simplified {simplified:.2f}".format(**states))
    smaller = sum(row["simplified"][0] < row["live"][0] for row in rows.values())
    print(f"smaller than their live part: {smaller}")
    seconds = [row["seconds"] for row in rows.values()]
    print(f"seconds: median {median(seconds):.3f}, mean {fmean(seconds):.3f}, slowest {max(seconds):.2f} ({slowest})")


if __name__ == "__main__":
    main()
