"""The process in which the steps of a session run; `device_watch.py` starts it."""

import json
import sys

from device_session import run_session
from device_watch import Plan

if __name__ == "__main__":
    sys.exit(run_session(Plan(**json.loads(sys.argv[1]))))
