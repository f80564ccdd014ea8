"""Backups are complete or absent, and never replace a file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from germline.db.errors import BackupRefused, DiskFull, Unsupported
from germline.db.records import Individual, RunRecord
from germline.db.store import Store

MakeRun = Callable[..., RunRecord]
Born = Callable[..., Individual]


@pytest.mark.slow
def test_a_backup_contains_all_committed_rows(
    url: str, store: Store, make_run: MakeRun, born: Born, tmp_path: Path
) -> None:
    run = make_run()
    store.add_individuals(run.id, "optimizer", [born(0), born(1, 0)])
    target = tmp_path / "copy 100%.db"
    if url.startswith("postgresql"):
        with pytest.raises(Unsupported, match="pg_dump"):
            store.backup(target)
        return
    store.backup(target)
    store.add_individuals(run.id, "optimizer", [born(2, 1)])
    with Store(str(target), create=False) as copy:
        assert list(copy.individuals(run.id)) == [born(0), born(1, 0)]
        assert copy.check() == []
    assert not list(tmp_path.glob(".*"))


@pytest.fixture
def file_store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "runs.db"))


def test_a_backup_never_replaces_a_file(file_store: Store, tmp_path: Path) -> None:
    target = tmp_path / "precious.txt"
    target.write_text("mine")
    link = tmp_path / "dangling"
    link.symlink_to(tmp_path / "nowhere")
    for existing in (target, link, tmp_path):
        with pytest.raises(BackupRefused, match="exists already: name a new file"):
            file_store.backup(existing)
    assert target.read_text() == "mine"
    with pytest.raises(BackupRefused, match="there is no folder"):
        file_store.backup(tmp_path / "no" / "copy.db")
    file_store.close()


def test_a_backup_without_room_on_the_disk_is_refused(file_store: Store) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with pytest.raises((BackupRefused, DiskFull)):
        file_store.backup(full)
    file_store.close()
