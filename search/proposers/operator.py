"""An operator from outside, in a process of its own that is ended if it hangs and replaced if it ends."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from germline.search.proposers.request import Answer, Request, write_request

START_SECONDS = 120.0
"""Time limit of loading an operator."""
LONGEST = 4_000_000
"""The most bytes of an answer."""


class BadOperator(ValueError):
    """An operator from outside cannot be loaded; the message says why and what to do."""


class Operator(Protocol):
    """Answers requests for genomes."""

    def ask(self, request: Request) -> Answer:
        """The answer; its `error` says why there is no genome. Never raises for what the operator does."""
        ...

    def close(self) -> None:
        """Ends what the operator has started."""
        ...


class OperatorProcess:
    """A function from outside. Its process starts with the first request, or by `start`.

    Args:
        name: the operator, for messages.
        place: `/path/to/file.py:function` or `module:function`.
        seconds: time limit of a request.
        options: further arguments of the function, as plain data.
        tokens: of an operator whose requests are calls with a cap: the estimated tokens of a request in whose middle
            the process ended or was ended. It then counts as a call. None: no call is counted.
    """

    def __init__(
        self,
        name: str,
        place: str,
        seconds: float,
        options: Mapping[str, Any] | None = None,
        tokens: Callable[[Request], int] | None = None,
    ) -> None:
        self.name = name
        self.place = place
        self.seconds = seconds
        self.options = dict(options or {})
        self.tokens = tokens
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Loads the function.

        Raises:
            BadOperator: there is no such function, or importing it fails.
        """
        if self._process is not None:
            return
        # In a session of its own: Ctrl-C is for the search, which lets a request come to its end.
        command = [sys.executable, "-P", "-m", "germline.search.proposers.process"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, start_new_session=True, env={**os.environ}, **pipes)
        answer = self._exchange(json.dumps({"place": self.place, "options": self.options}), START_SECONDS)
        cause = answer if isinstance(answer, str) else answer["error"]
        if cause is not None:
            self.close()
            raise BadOperator(f"the operator {self.name} cannot be loaded from {self.place} ({cause}); correct it")

    def ask(self, request: Request) -> Answer:
        try:
            self.start()
        except BadOperator as error:
            return Answer("", request.record(), error=str(error))
        answer = self._exchange(write_request(request), self.seconds)
        if isinstance(answer, str):
            self.close()
            calls, used = (0, 0) if self.tokens is None else (1, self.tokens(request))
            return Answer("", request.record(), prompt_tokens=used, calls=calls, error=answer)
        known = Answer(**answer)
        return known if known.request is not None else replace(known, request=request.record())

    def close(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        # Its group, which has what the function started as well, such as a command that hangs.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with suppress(OSError):  # a line that was never read
                pipe.close()

    def _exchange(self, line: str, seconds: float) -> dict[str, Any] | str:
        """Sends a line; returns the object of the line that answers it, or why there is none."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        deadline = time.monotonic() + seconds
        received = bytearray()
        try:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
        except OSError:
            return f"its process ended with status {process.wait()}"
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not received.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return f"no answer after {seconds:g} s"
                part = os.read(process.stdout.fileno(), 65_536)
                if not part:
                    return f"its process ended with status {process.wait()}"
                received += part
                if len(received) > LONGEST:
                    return f"an answer of more than {LONGEST:,} bytes"
        answer: dict[str, Any] = json.loads(received)
        return answer
