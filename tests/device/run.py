"""`make device`: tests and measures what runs on a GPU, in one command, on a bare machine.

Steps run in the order of their worth. After each of them a JSON file and a table hold what there is so far. A step that
raises is recorded, and the next one goes on; a step for which the time does not suffice is left out. The exit status is
1 if a step raised or a check failed. With `--device cpu --small` the same steps rehearse on a CPU in a minute.
"""

import argparse
import sys
from pathlib import Path

from own_tree import WHEELS, use_own_tree


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="STEP", help="steps to run; all unless given")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--small", action="store_true", help="small sizes, for a rehearsal")
    parser.add_argument("--budget", type=float, default=480.0, metavar="SECONDS", help="time for all steps (480)")
    parser.add_argument("--out", type=Path, default=Path("device.json"), help="the JSON file; the table lies beside it")
    parser.add_argument("--wheels", type=Path, default=WHEELS, help="folder of wheels that the machine lacks")
    parser.add_argument(
        "--go-on", action="store_true", help="keep the steps that the JSON file has, and run the others"
    )
    options = parser.parse_args()
    use_own_tree(options.wheels)

    from device_session import UnknownStep, run_session  # here, since it imports this tree

    try:
        return run_session(options)
    except UnknownStep as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
