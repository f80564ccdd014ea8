"""The process of a command: its signals, its log, its end, and errors that nobody foresaw."""

import logging
import random
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest
from command_process import run_command, start_command, wait_for_handler

from germline.cli.log_lines import MOST, LineFormatter, log_to_stderr

NOISY = """
import atexit, logging, multiprocessing, threading, time, warnings
import gymnasium
from germline.evaluators.tasks.gym import GymnasiumTask

def wait():
    time.sleep(600)

class Task(GymnasiumTask):
    '''Leaves what a process waits for.'''
    name = "noisy"
    def __init__(self, device="cpu"):
        super().__init__(device)
        threading.Thread(target=wait).start()
        multiprocessing.get_context("fork").Process(target=wait).start()
        print("\\x1b[31m on stdout")
        logging.getLogger("somebody").warning("\\x1b]0;owned\\x07" + "x" * 10_000_000)
        warnings.warn("\\x1b[31mold\\nnews")
    def make(self):
        return gymnasium.make("CartPole-v1")
"""

OWN = """
from germline.evaluators.optimizer.module_task import ModuleTask

class Own(ModuleTask):
    name = "own"

    def model(self):
        return self.layers

    def data(self):
        return None
"""

BROKEN = """
from germline.evaluators.tasks.gym import GymnasiumTask

class Torn(BaseException):
    pass

raise Torn("\\x1b[31mtorn\\n" + "x" * 10_000_000)
"""

SMALL = ["population=4", "parents=1", "candidates=0", "test_episodes=0", "steps=10"]
SEARCH = ["search", "policy", "--executor", "inline", "--births", "4", *(w for s in SMALL for w in ("--set", s))]


def run(folder: Path, *words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return run_command(*words, cwd=folder, variables={"TMPDIR": str(folder), **variables})


@pytest.mark.slow
def test_a_finished_command_ends_whatever_its_task_has_left(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(NOISY)
    began = time.monotonic()
    done = run(tmp_path, *SEARCH, "--task", "noisy.py:Task", "--db", "runs.db")
    assert done.returncode == 0, done.stderr
    assert "policy-1: finished after 4 births" in done.stdout
    assert time.monotonic() - began < 60
    assert done.stderr.count("somebody") == 0 and "WARNING: \ufffd]0;owned\ufffdxxx" in done.stderr
    assert re.search(r"WARNING: .*noisy.py:\d+: UserWarning: \ufffd\[31mold news", done.stderr)
    lines = done.stderr.replace("\x1b[31m on stdout", "").splitlines()
    assert max(map(len, lines)) <= MOST and all(line.isprintable() for line in lines)


@pytest.mark.slow
def test_an_error_that_nobody_foresaw_is_a_line_and_a_file(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    done = run(tmp_path, "tasks", "broken.py:Task")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("Error: ") and done.stderr.strip().isprintable()
    assert "Torn: " in done.stderr and len(done.stderr) < 1_000
    [kept] = tmp_path.glob("germline-*.traceback")
    text = kept.read_text()
    assert str(kept) in done.stderr and "Traceback" in text and "broken.py" in text and "\x1b" not in text
    shown = run(tmp_path, "tasks", "broken.py:Task", GERMLINE_TRACEBACK="1")
    assert shown.returncode == 1 and "Traceback" in shown.stderr and "\x1b" not in shown.stderr


@pytest.mark.slow
def test_an_error_in_the_code_of_a_task_says_where_it_was_raised(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    arguments = ["search", "optimizer", "--task", "own.py:Own", "--executor", "inline", "--db", "runs.db"]
    done = run(tmp_path, *arguments)
    assert done.returncode != 0 and done.stderr.count("\n") == 1 and "(own.py:8, in model)" in done.stderr
    shown = run(tmp_path, *arguments, GERMLINE_TRACEBACK="1")
    assert "Traceback" in shown.stderr and "return self.layers" in shown.stderr


COMMANDS = {
    "runs": ["runs", "--db", "none.db"],
    "describe": ["describe", "library:lion"],
    "export": ["export", "library:lion", "-o", "lion.py"],
    "search": ["search", "optimizer", "--births", "100000", "--executor", "inline", "--set", "lengths=0.05"],
}
BY_ITSELF = {"runs": 2, "describe": 0, "export": 0}
"""The exit status of a command without a signal; the search would go on for hours."""


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_ends_a_command_at_any_moment(tmp_path: Path, name: str, number: signal.Signals) -> None:
    draw = random.Random(f"{name} {number}")
    for moment in (0.0, draw.uniform(0.0, 0.5), draw.uniform(0.5, 3.0)):
        code, err, seconds = interrupted(tmp_path, COMMANDS[name], number, moment)
        # A search may have told its progress by then, and tells it once more when it stops.
        others = [line for line in err.splitlines() if not line.startswith("optimizer-1: ")]
        assert "Traceback" not in err and len(others) <= 2, err
        # A command may end by itself just before its signal arrives.
        by_itself = seconds < 0.5 and code == BY_ITSELF.get(name)
        assert by_itself or code == 128 + number, (moment, seconds, code, err)
        assert not [path for path in tmp_path.iterdir() if ".tmp" in path.name]


SWALLOWING = """
import sys, time
from germline.cli import main, start

def invoke(self, context):
    for seconds in (600, 0):
        try:
            print("ready", flush=True)
            time.sleep(seconds)
        except:
            pass
    time.sleep(600)

main.Commands.invoke = invoke
sys.argv = ["germline", "runs"]
start.main()
"""


@pytest.mark.slow
def test_a_library_that_swallows_exceptions_does_not_swallow_a_signal() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SWALLOWING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "interrupted\n")


@pytest.mark.slow
@pytest.mark.parametrize(("words", "code"), [(("runs", "--db", "none.db"), 2), (("tasks", "broken.py:Task"), 1)])
def test_the_exit_status_is_the_same_if_stderr_cannot_be_written(
    tmp_path: Path, words: Sequence[str], code: int
) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    with Path("/dev/full").open("w") as full:
        done = run_command(*words, cwd=tmp_path, stderr=full, variables={"TMPDIR": str(tmp_path)})
    assert (done.returncode, done.stdout) == (code, "")


@pytest.mark.slow
def test_a_process_that_ignores_sigint_goes_on_ignoring_it(tmp_path: Path) -> None:
    process = start_command(
        *("runs", "--db", "none.db"),
        cwd=tmp_path,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    assert process.communicate()[1].startswith("Error: no runs are recorded") and process.returncode == 2


def interrupted(folder: Path, words: Sequence[str], number: signal.Signals, moment: float) -> tuple[int, str, float]:
    """Exit status and stderr of a command that gets a signal so many seconds after it has begun to handle signals, and
    the seconds from the signal to its end."""
    process = start_command(*words, cwd=folder, stdout=subprocess.DEVNULL)
    wait_for_handler(process)
    time.sleep(moment)
    process.send_signal(number)
    sent = time.monotonic()
    err = process.communicate(timeout=60)[1]
    return process.returncode, err, time.monotonic() - sent


class Sullen:
    def __str__(self) -> str:
        raise RuntimeError("no")


def record(message: object, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    cause = (type(error), error, None) if error else None
    return logging.LogRecord("name", logging.WARNING, "file", 1, message, args, cause)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (record("%d of %s", 3, "x\x1b[2J\u202e"), "WARNING: 3 of x\ufffd[2J\ufffd"),
        (record("two\nlines\tand\r\nmore"), "WARNING: two lines and more"),
        (record("%s", Sullen()), "WARNING: '%s' (arguments that cannot be printed: RuntimeError)"),
        (record("%d", "three"), "WARNING: '%d' (arguments that cannot be printed: TypeError)"),
        (record("failed", error=ValueError("why\n\x1b")), "WARNING: failed (ValueError: why \ufffd)"),
        (record("failed", error=ValueError(Sullen())), "WARNING: failed (ValueError: (its message cannot be read))"),
    ],
)
def test_a_record_of_a_log_is_a_printable_line(message: logging.LogRecord, line: str) -> None:
    assert LineFormatter().format(message) == line


def test_a_long_record_is_cut() -> None:
    line = LineFormatter().format(record("%s", "x" * 10_000_000))
    assert len(line) == MOST and line.endswith("…")


def test_warnings_of_python_are_records_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    seen: list[str] = []
    try:
        log_to_stderr()
        [handler] = root.handlers
        monkeypatch.setattr(handler, "emit", lambda each: seen.append(handler.format(each)))
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(False)
            logging.captureWarnings(True)
            warnings.warn("\x1b[31mred", stacklevel=1)
    finally:
        logging.captureWarnings(False)
        logging.getLogger("germline").setLevel(logging.NOTSET)
    [line] = seen
    assert line.startswith("WARNING: ") and "UserWarning: \ufffd[31mred" in line and line.isprintable()


@pytest.mark.parametrize(
    "words", [("tasks",), ("presets", "optimizer"), ("--help",), ("tasks", "--json")], ids=" ".join
)
def test_a_command_whose_reader_is_gone_ends_in_silence(words: Sequence[str]) -> None:
    with start_command(*words) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(60) == 1
    assert errors == ""
