"""The process in which a task runs. Its supervisor starts it, sends it jobs, and ends it.

It talks with its supervisor over a pair of pipes, and holds whatever a task does: its crashes, its threads, its memory,
its changes to torch. It knows no Ray.
"""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection

from germline.evaluators.data.directory import VARIABLE
from germline.evaluators.errors import in_a_line
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.executor import score
from germline.evaluators.executors.parent_death import end_with_parent

COMMAND = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from germline.evaluators.executors.scoring_process import serve; serve(int(sys.argv[1]))"
)
"""The program of the process. Its arguments are the descriptor of its end of the pipes, and the module search path of
the supervisor as JSON."""


def serve(descriptor: int) -> None:
    """Builds the evaluator that the supervisor sends first, then answers jobs until the supervisor is gone."""
    end_with_parent()
    # A signal from outside ends the process at once. Python would raise KeyboardInterrupt in the task at SIGINT.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    pipe = Connection(descriptor)
    spec, data = pipe.recv()
    _set_data_directory(data)
