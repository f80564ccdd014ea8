"""A small process that ends what is left of a local Ray when the process that started that Ray has ended.

A driver that was killed cannot end anything any more. Most processes of its Ray notice that by themselves, but the
agents of the raylet try for a minute to tell the GCS, which is gone too. The guard knows the processes by the token of
their Ray, which they have in their environment and no other process has.
"""

import subprocess
import sys
from contextlib import suppress

_PROGRAM = """
import os, signal, sys, time
variable = sys.stdin.buffer.read()
if not variable.partition(b"RAY_AUTH_TOKEN=")[2]:
    sys.exit()
for attempt in range(50):
    left = False
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            process = os.pidfd_open(int(name))
        except OSError:
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as environment:
                if variable in environment.read().split(b"\\0"):
                    left = True
                    signal.pidfd_send_signal(process, signal.SIGKILL)
        except OSError:
            pass
        os.close(process)
    if not left:
        break
    time.sleep(0.1)
"""
"""Reads a variable until the end of its input, which is the end of the process that writes it; then kills every process
whose environment has the variable. A descriptor of the process is opened first, so that its number cannot pass to
another process meanwhile. It kills nothing without a token: the driver may end before it has written one, and an empty
variable is in every environment, behind its last zero byte."""

_SECONDS = 10.0
"""How long the guard may take to end what is left."""


class RayGuard:
    """Ends the processes of a local Ray after the end of this process, or by `end`. Only on Linux; elsewhere it does
    nothing.

    Args:
        token: the token of the Ray, not yet started: the value of `RAY_AUTH_TOKEN` in the environment of its processes.
    """

    def __init__(self, token: str) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if sys.platform != "linux":
            return
        with suppress(OSError):  # without a guard, processes of a driver that is killed end a minute later
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                start_new_session=True,  # Ctrl-C is for the driver
            )
            assert self._process.stdin is not None
            self._process.stdin.write(f"RAY_AUTH_TOKEN={token}".encode())
            self._process.stdin.flush()

    def end(self) -> None:
        """Kills what is left of the Ray now, within `_SECONDS`. Raises nothing."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(subprocess.TimeoutExpired, OSError):
                process.communicate(timeout=_SECONDS)
