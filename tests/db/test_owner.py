"""The owner of a run: which process may claim it, and how a run with a dead driver is displayed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy

from germline.db import owner
from germline.db.engine import Database
from germline.db.errors import InvalidRecord, RunBusy
from germline.db.location import locate
from germline.db.lock_retry import LockRetry
from germline.db.records import RunRecord
from germline.db.store import Store

MakeRun = Callable[..., RunRecord]


@pytest.fixture
def own(url: str) -> Iterator[Callable[[str], object]]:
    """``own(text)`` records ``text`` as the owner of every run, as another process would."""
    database = Database(locate(url), LockRetry())
    change = sqlalchemy.text("UPDATE run SET owner = :owner, status = 'running'")
    yield lambda text: database.write(lambda connection: connection.execute(change, {"owner": text}))
    database.close()


@pytest.fixture
def neighbour() -> Iterator[subprocess.Popen[str]]:
    """A live process that is not this one."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def host() -> str:
    return owner.this_process().split(":")[0]


def test_the_process_that_creates_a_run_owns_it_and_may_claim_it_again(store: Store, make_run: MakeRun) -> None:
    run = make_run()
    store.claim(run.id)
    assert store.run("first").owner == f"{host()}:{os.getpid()}"


def test_a_run_is_driven_by_a_single_session_of_a_process(store: Store, url: str, make_run: MakeRun) -> None:
    run, free = make_run(), make_run("free")
    store.claim(run.id)
    with Store(url) as other:
        for each in (store, other):
            with pytest.raises(RunBusy, match="'first' is driven by a session of this process: close it"):
                each.claim(run.id)
            with pytest.raises(RunBusy):
                each.rename_run("first", "second")
            with pytest.raises(RunBusy):
                each.delete_run("first")
        other.claim(free.id)
    store.claim(free.id)  # the session ended with its store
    store.release(run.id, "stopped", 1.0)
    store.rename_run("first", "second")
    store.claim(run.id)
    store.release(run.id, "stopped", 1.0)
    assert store.delete_run("second") == 0


def test_a_claim_that_fails_leaves_the_run_free(
    store: Store, make_run: MakeRun, own: Callable[[str], object], neighbour: subprocess.Popen[str]
) -> None:
    run = make_run()
    own(f"{host()}:{neighbour.pid}")
    with pytest.raises(RunBusy):
        store.claim(run.id)
    own(f"{host()}:1")
    own(owner.this_process())
    store.claim(run.id)


def test_a_run_that_a_live_process_drives_is_busy(
    store: Store, make_run: MakeRun, own: Callable[[str], object], neighbour: subprocess.Popen[str]
) -> None:
    run = make_run()
    own(f"{host()}:{neighbour.pid}")
    with pytest.raises(RunBusy, match=f"'first' is driven by process {neighbour.pid}"):
        store.claim(run.id)
    with pytest.raises(RunBusy):
        store.release(run.id, "finished", 1.0)
    assert (store.run("first").status, store.runs()[0].owner) == ("running", f"{host()}:{neighbour.pid}")


def test_a_run_with_a_killed_driver_is_interrupted_and_can_be_claimed(
    store: Store, make_run: MakeRun, own: Callable[[str], object], neighbour: subprocess.Popen[str]
) -> None:
    run = make_run()
    own(f"{host()}:{neighbour.pid}")
    neighbour.kill()  # not waited for, so a zombie still has the process id
    os.waitid(os.P_PID, neighbour.pid, os.WEXITED | os.WNOWAIT)
    assert (store.run("first").status, store.run("first").owner) == ("interrupted", None)
    neighbour.wait()
    assert store.runs()[0].status == "interrupted"
    store.claim(run.id)
    assert store.run("first").status == "running"


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")  # noqa: PTH110
def test_a_later_process_with_the_same_id_is_not_the_driver(
    store: Store, make_run: MakeRun, own: Callable[[str], object], neighbour: subprocess.Popen[str]
) -> None:
    run = make_run()
    own(f"{host()}:{neighbour.pid}:1")
    assert store.run("first").status == "interrupted"
    store.claim(run.id)


def test_a_run_of_a_driver_on_another_machine_can_be_claimed_only_by_force(
    store: Store, make_run: MakeRun, own: Callable[[str], object]
) -> None:
    run = make_run()
    own("far-away:4242")
    assert (store.run("first").status, store.run("first").owner) == ("running", "far-away:4242")
    with pytest.raises(RunBusy, match="4242 on far-away"):
        store.claim(run.id)
    store.claim(run.id, force=True)
    store.release(run.id, "stopped", 0.0)


def test_a_released_run_has_no_owner_and_keeps_its_status(store: Store, make_run: MakeRun) -> None:
    run = make_run()
    store.release(run.id, "failed", 1.0)
    assert (store.run("first").status, store.run("first").owner) == ("failed", None)
    with pytest.raises(InvalidRecord, match="stopped, finished, failed, got 'running'"):
        store.release(run.id, "running", 1.0)


@pytest.mark.parametrize("text", ["", ":", "host", f"{host()}:0", f"{host()}:-1", f"{host()}:x", f"{host()}:{10**30}"])
def test_an_owner_that_names_no_process_is_not_alive(text: str) -> None:
    assert not owner.is_alive(text)
