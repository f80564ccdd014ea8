"""A small process that ends what is left of a local Ray when the process that started that Ray has ended.

A driver that was killed cannot end anything any more. Most processes of its Ray notice that by themselves, but the
agents of the raylet try for a minute to tell the GCS, which is gone too. The guard knows the processes by the token of
their Ray, which is in the environment of no other process, and their descendants. Some processes of Ray overwrite their
environment with a title: those that are there when Ray has started are remembered; workers that start later end by
themselves without a raylet.
"""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

_PROGRAM = Path(__file__).with_name("ray_guard_process.py")

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
                [sys.executable, "-I", "-S", str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                start_new_session=True,  # Ctrl-C is for the driver
            )
            self._write(f"RAY_AUTH_TOKEN={token}\n")

    def started(self) -> None:
        """Tells the guard that Ray has started, with all processes that it always has."""
        if self._process is not None:
            with suppress(OSError):  # the guard was killed
                self._write("\n")

    def end(self) -> None:
        """Kills what is left of the Ray now, within `_SECONDS`. Raises nothing."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(subprocess.TimeoutExpired, OSError):
                process.communicate(timeout=_SECONDS)

    def _write(self, text: str) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()
