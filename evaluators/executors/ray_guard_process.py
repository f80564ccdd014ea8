"""The program of the guard's process: ends what is left of a local Ray when the end of its input is reached.

`ray_guard.py` starts this file and writes to it: first a line with a variable of the environment, such as
`RAY_AUTH_TOKEN=…`, then an empty line as soon as Ray has started. The input ends with the process that writes it. It
imports little, so that it is there at once and needs little memory.
"""

import contextlib
import os
import select
import signal
import sys
import time
from pathlib import Path

_ATTEMPTS = 50
_PAUSE = 0.1
"""Seconds between two attempts: a process that was about to start another may have done so."""


def main() -> None:
    variable = sys.stdin.buffer.readline().rstrip(b"\n")
    if not variable.partition(b"=")[2]:
        return  # the driver ended before it had written a token: an empty variable would be no mark of one Ray
    # Ray's agents change their titles, which overwrites a part of their environment; so they are looked up early, as
    # children of the raylet, which may be gone at the end.
    known = members(variable) if sys.stdin.buffer.readline() else []
    sys.stdin.buffer.read()
    for _ in range(_ATTEMPTS):
        present = members(variable)
        running = [end(descriptor) for descriptor in (*known, *present)]
        for descriptor in present:
            os.close(descriptor)
        if not any(running):
            break
        time.sleep(_PAUSE)


def members(variable: bytes) -> list[int]:
    """Descriptors of all processes that have the variable in their environment, and of their descendants.

    Only these get a descriptor: a machine may have more processes than a process may open files.
    """
    parents, starts, chosen = {}, {}, set()
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        with contextlib.suppress(OSError):  # the process has ended, or belongs to somebody else
            parents[pid], starts[pid] = parent_and_start(pid)
            if variable in (folder / "environ").read_bytes().split(b"\0"):
                chosen.add(pid)
    children = chosen
    while children:
        children = {pid for pid, parent in parents.items() if parent in children} - chosen
        chosen |= children
    descriptors = []
    for pid in chosen:
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(pid)
            if parent_and_start(pid)[1] == starts[pid]:
                descriptors.append(descriptor)
            else:  # the number belongs to another process by now
                os.close(descriptor)
    return descriptors


def parent_and_start(pid: int) -> tuple[int, int]:
    """The number of a process's parent, and when the process started, in clock ticks since the machine did."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return int(fields[1]), int(fields[19])


def end(descriptor: int) -> bool:
    """Kills a process; returns whether it was running until now, so neither gone nor a zombie."""
    ended = select.poll()
    ended.register(descriptor, select.POLLIN)
    if ended.poll(0):
        return False
    with contextlib.suppress(OSError):
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    return True


if __name__ == "__main__":
    main()
