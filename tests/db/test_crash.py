"""After SIGKILL at any point, every acknowledged transaction is recorded and any other is complete or absent."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from germline.db.store import Store

WRITER = """
import sys
from germline.db.records import EvaluationRecord, Individual
from germline.db.store import Store
store = Store(sys.argv[1])
names = [summary.name for summary in store.runs()]
run = store.run("run") if names else store.create_run("run", "optimizer", "digits-mlp", "quick", 1, {}, {})
store.claim(run.id)
born = sum(1 for _ in store.individuals(run.id))
birth = sum(1 for _ in store.evaluations(run.id))
while True:
    batch = [
        Individual(
            b, b // 5, (b - 1,) if b else (), "modify" if b else "seed", f"genome {b} " * 50, f"print-{b}", None
        )
        for b in range(birth, birth + 5)
    ]
    if birth >= born:
        store.add_individuals(run.id, "optimizer", batch)
    store.add_evaluations(run.id, [
        EvaluationRecord(r.birth, r.fingerprint, "digits-mlp", 0, 0, "ok", float(r.birth), {}, {}, 0.1, "w", None)
        for r in batch
    ], seconds=1.0)
    birth += 5
    print(birth, flush=True)
"""

AT_COMMIT = """
import os, signal, sys
from sqlalchemy import Engine, event
from germline.db.store import Store
left = int(sys.argv[2])
@event.listens_for(Engine, "commit")
def die(connection):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
store = Store(sys.argv[1])
for number in range(5):
    store.create_run(f"run-{number}", "optimizer", "digits-mlp", "quick", 1, {}, {})
    print(number, flush=True)
"""


@pytest.mark.slow
def test_no_acknowledged_row_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    path, draw, acknowledged = str(tmp_path / "runs.db"), random.Random(3), 0
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(draw.randrange(1, 20)):
                acknowledged = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            acknowledged = max([acknowledged, *(int(line) for line in writer.stdout if line.endswith("\n"))])
        with Store(path, create=False) as store:
            run = store.run("run")
            assert run.status == "interrupted"
            births = [record.birth for record in store.individuals(run.id)]
            outcomes = [record.birth for record in store.evaluations(run.id)]
            assert births == list(range(len(births)))
            assert outcomes == list(range(len(outcomes)))
            assert acknowledged <= len(outcomes) <= len(births) <= acknowledged + 5
            assert len(outcomes) % 5 == len(births) % 5 == 0
            assert run.seconds == len(outcomes) / 5
            assert store.check() == []


@pytest.mark.slow
@pytest.mark.parametrize("commit", [1, 2, 3, 5])
def test_a_process_killed_before_a_commit_leaves_the_previous_state(tmp_path: Path, commit: int) -> None:
    path = str(tmp_path / "runs.db")
    process = subprocess.run([sys.executable, "-c", AT_COMMIT, path, str(commit)], capture_output=True, text=True)
    assert (process.returncode, process.stderr) == (-signal.SIGKILL, "")
    with Store(path) as store:  # the first commit creates the schema; if it is missing, this process creates it
        assert len(store.runs()) == len(process.stdout.split())
        assert store.check() == []
        store.create_run("after", "optimizer", "digits-mlp", "quick", 1, {}, {})
