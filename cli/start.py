"""The process of `germline`: its signals, its log, its exit status, and a last resort for errors that nobody foresaw.

Nothing large is imported before the signals are handled, so that Ctrl-C is answered from the first moment on. Tests
that call `germline.cli.main.cli` get such errors as they were raised.
"""

import os
import sys
from contextlib import suppress
from typing import NoReturn

from germline.cli.interrupts import Interrupted, end_on_signal, received, stop_raising


def main() -> NoReturn:
    """Runs the command in `sys.argv`, and ends the process."""
    try:
        end_on_signal()
        status = _run()
        stop_raising()
    except Interrupted:  # outside of `_run`
        status = 1
        stop_raising()
    from germline.cli.leaving import leave

    if received:  # also if the exception was swallowed, or became an error of another class
        with suppress(OSError):  # the terminal may be gone
            os.write(2, b"interrupted\n")
        status = 128 + received[0]
    leave(status)


def _run() -> int:
    """Runs the command in `sys.argv` and returns its exit status, which means nothing if a signal was received."""
    try:
        from germline.cli.log_lines import log_to_stderr
        from germline.cli.main import cli

        log_to_stderr()
        cli.main(prog_name="germline")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException as error:
        if not received and not isinstance(error, Interrupted):
            with suppress(OSError):  # stderr cannot be written
                _report(error)
        return 1
    return 0


def _report(error: BaseException) -> None:
    """Reports an error that is not the user's mistake nor a failure that a command knows."""
    from germline.cli.errors import single_line
    from germline.cli.printing import say
    from germline.cli.tracebacks import text_of, wanted

    text = text_of(error)
    place = "" if wanted() else _kept(text)
    if not place:
        print(text, file=sys.stderr)
    cause = f"{type(error).__name__}: {single_line(error):.300}"
    say(f"Error: germline failed, which is a fault of ours or of the task ({cause}); {place or 'see above'}", err=True)


def _kept(text: str) -> str:
    """Writes a traceback to a temporary file; returns where, as the end of a sentence, or nothing if it cannot be
    written."""
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", prefix="germline-", suffix=".traceback", delete=False
        ) as file:
            file.write(text)
    except OSError:
        return ""
    return f"the whole traceback is in {file.name}"


if __name__ == "__main__":
    main()
