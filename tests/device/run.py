"""`make device`: tests and measures what runs on a GPU, in one command, on a bare machine.

Steps run in the order of their worth. After each of them, and after each of its results, a JSON file and a table hold
what there is so far. A step that raises, hangs or ends its process is recorded, and the next one goes on; a step for
which the time does not suffice is left out. The exit status is 1 if a step failed or a check did. With `--device cpu
--small` the same steps rehearse on a CPU in a minute.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from device_facts import machine_facts
from device_report import Report
from device_steps import STEPS
from device_watch import Plan, watch
from own_tree import WHEELS, use_own_tree


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="STEP", help="steps to run; all unless given")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--small", action="store_true", help="small sizes, for a rehearsal")
    parser.add_argument("--budget", type=float, default=420.0, metavar="SECONDS", help="time for all steps (420)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(os.environ.get("OUT", ".")) / "device.json",
        help="the JSON file ($OUT/device.json, or device.json); the table lies beside it",
    )
    parser.add_argument("--wheels", type=Path, default=WHEELS, help="folder of wheels that the machine lacks")
    parser.add_argument(
        "--go-on", action="store_true", help="keep the steps that are ok in the JSON file, and run the others"
    )
    options = parser.parse_args()
    deadline = time.monotonic() + options.budget
    known = [step.name for step in STEPS]
    if unknown := set(options.names) - set(known):
        parser.error(f"expected names of steps ({', '.join(known)}), got {', '.join(sorted(unknown))}")
    use_own_tree(options.wheels)
    earlier = Report.read(options.out).steps if options.go_on and options.out.exists() else []
    facts = {"device": options.device, "small": options.small, "budget_seconds": options.budget, **machine_facts()}
    Report(options.out, facts, [step for step in earlier if step["status"] == "ok"]).write()
    names = [name for name in known if not options.names or name in options.names]
    return watch(Plan(names, options.device, options.small, str(options.out.absolute()), deadline))


if __name__ == "__main__":
    sys.exit(main())
