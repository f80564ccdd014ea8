"""Makes films in a process of its own, so that neither a hanging environment nor a crash in one touches the pages."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from germline.cli.dashboard.film import MOST_BYTES, Film, FilmOrder, NoFilm
from germline.cli.formatting import size
from germline.evaluators.executors.fork_server import ending

SECONDS = 120.0
"""Time limit of a film, with the start of its process. One of 500 pictures of 600×400 takes about 9 s of a core."""

ORDER, ANSWER, IMAGE = "order.json", "answer.json", "film.gif"
"""Files through which both processes talk: what the environment prints cannot disturb them."""


class FilmMaker:
    """Makes films, one at a time.

    Args:
        most_bytes: the largest film.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def make(self, order: FilmOrder) -> Film:
        """The film of an order: the same pictures as by `germline play --video`, unless an episode is cut.

        Raises:
            NoFilm: it cannot be made; the message says why.
        """
        try:
            with TemporaryDirectory(prefix="germline-film-") as name:
                folder = Path(name)
                (folder / ORDER).write_text(json.dumps(asdict(order)), encoding="ascii")
                self._run(folder)
                return self._film(folder)
        except OSError as error:
            raise NoFilm(f"its files cannot be written ({error.strerror or type(error).__name__})") from None

    def stop(self) -> None:
        """Ends the process that renders a film, and starts no other. May be called from a signal handler."""
        self._stopped = True
        if (process := self._process) is not None:
            _end(process)

    def _run(self, folder: Path) -> None:
        # As in `OperatorProcess`: no module of the working directory, and a session, whose processes end together.
        command = [sys.executable, "-P", "-m", "germline.cli.dashboard.film_process", str(folder), str(os.getpid())]
        silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = self._process = subprocess.Popen(command, start_new_session=True, **silent)  # type: ignore[call-overload]
        try:
            if self._stopped:
                raise NoFilm("the server is ending")
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            raise NoFilm(f"it takes more than {SECONDS:g} s to make") from None
        finally:
            self._process = None
            _end(process)
        if not (folder / ANSWER).exists():
            cause = "the server is ending" if self._stopped else f"its process ended with {ending(process.returncode)}"
            raise NoFilm(cause)

    def _film(self, folder: Path) -> Film:
        answer: dict[str, Any] = json.loads((folder / ANSWER).read_text(encoding="ascii"))
        if answer["problem"] is not None:
            raise NoFilm(answer["problem"])
        if (length := (folder / IMAGE).stat().st_size) > self._most_bytes:
            raise NoFilm(f"its {size(length)} are more than the {size(self._most_bytes)} that are shown")
        return Film(image=(folder / IMAGE).read_bytes(), **answer["film"])


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ends a process and all that it has started."""
    with suppress(OSError):  # nothing of it is left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
