"""search, resume and stop, as a user runs them."""

import fcntl
import json
import os
import pty
import signal
import sqlite3
import subprocess
import termios
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from command_process import start_command
from own_tasks import LINE, task_file

from germline.cli.main import cli
from germline.search.run import plan_run
from germline.search.settings import BadSetting

SMALL = ["population=20", "block=16", "pack=4", "lengths=0.05", "warmup=0", "litter=1", "review_every=16"]
SETTINGS = [word for setting in SMALL for word in ("--set", setting)]
SMALL_POLICY = ["--set", "population=2", "--set", "candidates=0", "--set", "test_episodes=0"]


def germline(*words: str, db: Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli, [*words, "--db", str(db)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.mark.slow
def test_a_search_ends_with_its_best_and_the_next_commands(db: Path) -> None:
    code, out, err = germline(
        "search", "optimizer", *SETTINGS, "--births", "40", "--executor", "inline", "--name", "first", db=db
    )
    assert code == 0, err
    assert "first: finished after 40 births" in out
    assert "germline show first" in out and "germline export first" in out
    assert "\x1b" not in out + err


@pytest.mark.slow
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_search_in_which_every_genome_fails_has_exit_status_1_in_every_form(
    form: tuple[str, ...], db: Path, tmp_path: Path
) -> None:
    broken = task_file(tmp_path, LINE.replace("x, y = self.x", "raise ValueError('no data'); x, y = self.x"))
    words = ("search", "optimizer", "--task", f"{broken}:Line", *SETTINGS, "--births", "4")
    code, out, err = germline(*words, "--executor", "inline", *form, db=db)
    assert code == 1 and "has an ok outcome" in err
    assert not form or json.loads(out)["status"] == "finished"


@pytest.mark.slow
def test_the_json_of_a_search_is_a_row_of_runs_with_the_winner(db: Path) -> None:
    words = ("search", "optimizer", *SETTINGS, "--births", "20", "--executor", "inline", "--json")
    code, out, _ = germline(*words, db=db)
    row = json.loads(out)
    assert (code, row["name"], row["status"], row["births"]) == (0, "optimizer-1", "finished", 20)
    assert set(row["best"]) == set(row["winner"]) == {"birth", "fitness"}
    assert json.loads(germline("runs", "--json", db=db)[1])[0]["best"] == row["best"]


@pytest.mark.slow
def test_a_stopped_search_prints_the_command_to_resume_it(db: Path) -> None:
    words = ("search", "optimizer", *SETTINGS, "--births", "500", "--time", "0.2s", "--executor", "inline")
    code, out, _ = germline(*words, db=db)
    assert code == 0 and "stopped" in out and "germline resume optimizer-1" in out
    code, out, _ = germline("resume", "optimizer-1", "--births", "64", "--executor", "inline", "--json", db=db)
    assert code == 0 and json.loads(out)["births"] >= 64


@pytest.mark.slow
def test_stop_wants_a_running_search(db: Path) -> None:
    germline("search", "optimizer", *SETTINGS, "--births", "4", "--executor", "inline", db=db)
    code, _, err = germline("stop", "optimizer-1", db=db)
    assert code == 2 and err == "Error: expected a running search, optimizer-1 is finished; nothing to stop\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "digits-mpl"], "the nearest is 'digits-mlp'"),
        (["--task", "nowhere.py:Task"], "nowhere.py"),
        (["--preset", "quik"], "did you mean quick"),
        (["--set", "populaton=9"], "did you mean population"),
        (["--set", "population=none"], "expected population to be a whole number"),
        (["--set", "start=adamw_plane"], "did you mean library:adamw_plain"),
        (["--set", "review_rung=7"], "expected review_rung to be a rung of digits-mlp, at most 2"),
        (["--births", "0"], "births"),
        (["--time", "soon"], "expected a time such as 90s, 10m or 2h, got 'soon'"),
        (["--name", "a:b"], "name"),
        (["--device", "tpu"], "tpu"),
        (["--birth", "3"], "--births"),
    ],
)
def test_a_mistake_is_an_error_of_one_line_and_leaves_no_run_behind(db: Path, words: list[str], message: str) -> None:
    code, out, err = germline("search", "optimizer", "--births", "2", *words, db=db)
    assert code == 2 and not out and message in err and err.count("\n") == 1, err
    assert not db.exists() or json.loads(germline("runs", "--json", db=db)[1]) == []


def test_an_unknown_kind_is_an_error_of_one_line(db: Path) -> None:
    code, _, err = germline("search", "optimiser", db=db)
    assert code == 2 and "optimizer" in err and err.count("\n") == 1


@pytest.mark.slow
def test_an_unknown_run_cannot_be_resumed(db: Path) -> None:
    germline("search", "optimizer", *SETTINGS, "--births", "2", "--executor", "inline", "--name", "first", db=db)
    code, _, err = germline("resume", "frist", db=db)
    assert code == 2 and "first" in err and err.count("\n") == 1


def started(db: Path, *words: str, **options: Any) -> subprocess.Popen[str]:
    """A search in a process of its own, under way; `options` are those of `subprocess.Popen`."""
    options = {"start_new_session": True, "preexec_fn": _heed_sighup, **options}
    process = start_command("search", "optimizer", *SETTINGS, "--db", db, *words, **options)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if db.exists():
            code, out, _ = germline("runs", "--json", db=db)
            if code == 0 and json.loads(out) and json.loads(out)[0]["evaluations"] > 0:
                return process
        time.sleep(0.1)
    raise AssertionError(process.communicate())


def _heed_sighup() -> None:
    """For a new process: SIGHUP is not ignored, even if the tests were started by `nohup`."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _take_terminal() -> None:
    """For a new process that leads a session: the terminal of its standard input belongs to the session."""
    _heed_sighup()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_search_in_order(db: Path, number: int, code: int) -> None:
    process = started(db, "--births", "100000", "--executor", "inline")
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "germline resume optimizer-1" in err and "Traceback" not in err
    assert json.loads(germline("runs", "--json", db=db)[1])[0]["status"] == "stopped"
    assert germline("db", "check", db=db)[0] == 0


@pytest.mark.slow
def test_a_second_signal_waits_for_nothing(db: Path) -> None:
    process = started(db, "--births", "100000", "--executor", "inline", "--set", "pack=100", "--set", "block=500")
    process.send_signal(signal.SIGINT)
    while b"once more" not in os.read(process.stderr.fileno(), 10_000):  # type: ignore[union-attr]
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT and "germline resume" not in err
    assert germline("db", "check", db=db)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_a_search_whose_terminal_is_closed_ends_in_order(db: Path, executor: str) -> None:
    ours, theirs = pty.openpty()
    process = started(
        *(db, "--births", "100000", "--executor", executor, "--workers", "1"),
        **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
        preexec_fn=_take_terminal,
    )
    os.close(theirs)
    os.close(ours)
    assert process.wait(timeout=90) == 128 + signal.SIGHUP
    assert json.loads(germline("runs", "--json", db=db)[1])[0]["status"] == "stopped"
    _no_process_is_left(process.pid)


@pytest.mark.slow
def test_a_stop_from_another_shell_ends_a_search(db: Path) -> None:
    process = started(db, "--births", "100000", "--executor", "inline")
    assert germline("stop", "optimizer-1", db=db)[0] == 0
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "stopped" in out and "germline resume optimizer-1" in out


@pytest.mark.slow
def test_an_interrupted_search_on_ray_leaves_no_process_behind(db: Path) -> None:
    process = started(db, "--births", "100000", "--executor", "ray", "--workers", "1")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=90)
    assert process.returncode == 130 and "germline resume" in err
    _no_process_is_left(process.pid)


def _no_process_is_left(session: int) -> None:
    deadline = time.monotonic() + 20
    while (left := members(session)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []


def members(session: int) -> list[str]:
    """Command lines of the processes of a session that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(command[:80])
    return found


@pytest.mark.slow
def test_the_command_to_resume_a_search_has_its_budget(db: Path) -> None:
    germline("search", "optimizer", *SETTINGS, "--births", "32", "--executor", "inline", db=db)
    words = ("resume", "optimizer-1", "--births", "3200", "--time", "0.3s", "--executor", "inline")
    _, out, _ = germline(*words, db=db)
    assert f"go on   germline resume optimizer-1 --births 3200 --db {db}\n" in out
    # As after a kill within a block. A smaller budget than that of the session before leaves these births waiting.
    with closing(sqlite3.connect(db)) as connection, connection:
        last = "SELECT MAX(birth) FROM evaluation"
        assert connection.execute(f"DELETE FROM evaluation WHERE birth = ({last})").rowcount > 0
    _, out, _ = germline("resume", "optimizer-1", "--evaluations", "1", "--executor", "inline", db=db)
    born = json.loads(germline("runs", "--json", db=db)[1])[0]["births"]
    assert "optimizer-1: stopped" in out and f"resume optimizer-1 --births {born} --db" in out
    code, out, _ = germline("resume", "optimizer-1", "--births", str(born), "--executor", "inline", db=db)
    assert code == 0 and f"finished after {born} births" in out and germline("db", "check", db=db)[0] == 0


@pytest.mark.slow
def test_a_search_says_if_nothing_better_than_its_start_was_found(tmp_path: Path) -> None:
    db = ["--db", str(tmp_path / "runs.db"), "--executor", "inline", "--seed", "3"]
    done = CliRunner().invoke(cli, ["search", "optimizer", *SETTINGS, "--births", "1", *db])
    assert "winner  optimizer-1:0  the start: nothing better was found\n" in done.stdout, done.output
    # Birth 0 of a search for architectures is a random genome, which the loop of EEEA-Net's code may hand over.
    cells = ["--preset", "eeea", "--task", "nb201-cifar10", "--set", "space=nb201", "--set", "population=20"]
    done = CliRunner().invoke(cli, ["search", "architecture", *cells, "--births", "200", *db])
    assert "winner  architecture-1:0  fitness" in done.stdout and "nothing better" not in done.stdout, done.output


@pytest.mark.slow
def test_several_seeds_are_runs_in_a_row(db: Path) -> None:
    words = ("search", "policy", "--births", "2", "--seeds", "3", "--seed", "4", *SMALL_POLICY, "--executor", "inline")
    code, out, err = germline(*words, "--name", "balance", db=db)
    assert code == 0 and "spread  germline compare 'balance-*'" in out, err
    runs = json.loads(germline("runs", "--json", db=db)[1])
    assert [(run["name"], run["seed"], run["births"]) for run in runs] == [
        ("balance-4", 4, 2),
        ("balance-5", 5, 2),
        ("balance-6", 6, 2),
    ]
    alone = ("search", "policy", "--births", "2", "--seed", "5", *SMALL_POLICY, "--executor", "inline")
    germline(*alone, "--name", "alone", db=db)
    genomes = [json.loads(germline("show", f"{run}:1", "--json", db=db)[1])["genome"] for run in ("balance-5", "alone")]
    assert genomes[0] == genomes[1]
    code, out, err = germline(*words, "--name", "balance", db=db)
    assert code == 2 and "balance-4, balance-5, balance-6 exists already" in err
    code, out, err = germline(*words, "--json", db=db)
    assert code == 0 and [row["name"] for row in json.loads(out)] == ["policy-1", "policy-2", "policy-3"], err


@pytest.mark.slow
def test_seeds_that_were_not_begun_are_named(db: Path, tmp_path: Path) -> None:
    broken = task_file(tmp_path, LINE.replace("x, y = self.x", "raise ValueError('no data'); x, y = self.x"))
    words = ("search", "optimizer", "--task", f"{broken}:Line", *SETTINGS, "--births", "4", "--executor", "inline")
    code, _, err = germline(*words, "--seeds", "3", "--seed", "7", db=db)
    assert code == 1 and "not begun: seeds 8 to 9; the same search with --seed 8 --seeds 2 begins them" in err


def test_an_error_of_the_plan_concerns_all_seeds_and_prints_nothing_else(db: Path) -> None:
    words = ("search", "policy", "--births", "2", "--seeds", "3", "--set", "populatoin=3", "--json")
    code, out, err = germline(*words, db=db)
    assert (code, out) == (2, "")
    assert err.startswith("Error: expected a setting, got 'populatoin'") and err.count("\n") == 1


@pytest.mark.slow
def test_the_hint_begins_at_the_first_seed_without_a_run(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = []

    def plan(*args: Any, **options: Any) -> Any:
        planned.append(options["seed"])
        if len(planned) == 2:
            raise BadSetting("the file of the setting is gone")
        return plan_run(*args, **options)

    monkeypatch.setattr("germline.cli.search_session.plan_run", plan)
    words = ("search", "policy", "--births", "2", "--seeds", "3", *SMALL_POLICY, "--executor", "inline", "--json")
    code, out, err = germline(*words, db=db)
    assert code == 2 and [row["seed"] for row in json.loads(germline("runs", "--json", db=db)[1])] == [0]
    assert len(json.loads(out)) == 1
    assert "not begun: seeds 1 to 2; the same search with --seed 1 --seeds 2 begins them" in err


@pytest.mark.slow
def test_a_search_and_its_resume_log_to_tensorboard(db: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    log = ("--log", f"tensorboard:{tmp_path / 'logs'}")
    words = ("search", "policy", *SMALL_POLICY, "--births", "400", "--executor", "inline", "--name", "balance")
    code, out, err = germline(*words, "--time", "0.3s", *log, db=db)
    assert code == 0 and f"germline resume balance --db {db} {' '.join(log)}" in out, (out, err)
    code, _, err = germline("resume", "balance", "--births", "400", "--executor", "inline", *log, db=db)
    assert code == 0 and "WARNING" not in err, err
    folder = tmp_path / "logs" / "balance"
    assert len(list(folder.glob("events.out.tfevents.*"))) == 2
    shown = json.loads(germline("show", "balance", "--json", db=db)[1])
    assert (folder / "winner.json").read_text(encoding="utf-8") == shown["genome"]


def test_an_unknown_logger_is_an_error_of_one_line_and_leaves_no_run_behind(db: Path) -> None:
    code, out, err = germline("search", "policy", "--births", "2", "--log", "tensorbord:logs", db=db)
    assert code == 2 and not out and not db.exists()
    assert err == "Error: expected a logger, got 'tensorbord'; did you mean tensorboard?\n"
