"""Loggers against the real things: what TensorBoard, MLflow and Weights & Biases then read from their files."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from germline.db.store import Store
from germline.search.loggers import logged, loggers_named
from germline.search.run import evolve, new_run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("loggers")]
SETTINGS = ["population=4", "parents=2", "candidates=0", "test_episodes=0"]


def search(path: Path, loggers: Sequence[str], births: Sequence[int] = (8, 16)) -> Any:
    """A run in two sessions. Returns its best fitness and the genome of its winner."""
    with Store(str(path)) as store:
        new_run(store, "policy", task="gym:CartPole-v1", births=99, settings=SETTINGS, seed=5, name="balance")
        for budget in births:
            events = evolve(store, "balance", executor="inline", device="cpu", births=budget)
            for _ in logged(store, "balance", events, loggers_named(loggers)):
                pass
        best, winner = store.best("balance").evaluation, store.winner("balance")
        assert best is not None and winner is not None
        return best.fitness, winner.individual.genome


def test_tensorboard_reads_the_figures_and_the_winner(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fitness, genome = search(tmp_path / "runs.db", [f"tensorboard:{tmp_path / 'logs'}"])
    folder = tmp_path / "logs" / "balance"
    read = EventAccumulator(str(folder))
    read.Reload()
    births = read.Scalars("births")
    assert [event.value for event in births] == [event.step for event in births]
    assert {8, 16} <= {event.step for event in births}  # both sessions, in one run
    assert read.Scalars("best_fitness")[-1].value == pytest.approx(fitness)
    assert (folder / "winner.json").read_text(encoding="utf-8") == genome
    [*_, winner] = read.Tensors("winner/text_summary")
    assert genome[:20] in winner.tensor_proto.string_val[0].decode()


def test_mlflow_has_one_run_with_the_figures_and_the_winner(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    from mlflow import MlflowClient
    from mlflow.artifacts import download_artifacts

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = MlflowClient(uri)
    # Where its artefacts lie; else they would be in the working directory.
    experiment = client.create_experiment("germline", artifact_location=(tmp_path / "artifacts").as_uri())
    fitness, genome = search(tmp_path / "runs.db", [f"mlflow:{uri}"])
    [run] = client.search_runs([experiment])
    assert (run.info.run_name, run.info.status) == ("balance", "FINISHED")
    assert run.data.params["task"] == "gym:CartPole-v1" and run.data.params["settings.population"] == "4"
    assert run.data.metrics["best_fitness"] == fitness
    steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "births")]
    assert {8, 16} <= set(steps)
    kept = download_artifacts(run_id=run.info.run_id, artifact_path="winner.json", tracking_uri=uri)
    assert Path(kept).read_text(encoding="utf-8") == genome


def log_records(data: bytes) -> Iterator[bytes]:
    """The records of a log in LevelDB's format, as W&B writes it: blocks of 32 KiB with fragments, behind 7 bytes."""
    place, record = 7, b""
    while place + 7 <= len(data):
        if (left := 32768 - place % 32768) < 7:
            place += left
            continue
        size, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        record += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last fragment
            yield record
            record = b""


def test_wandb_writes_its_files_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    fitness, _ = search(tmp_path / "runs.db", ["wandb:evolution"], births=(8,))
    [file] = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    records = [wandb_internal_pb2.Record.FromString(data) for data in log_records(file.read_bytes())]
    [run] = [record.run for record in records if record.WhichOneof("record_type") == "run"]
    assert (run.display_name, run.project) == ("balance", "evolution")
    history = [
        {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for record in records
        if record.WhichOneof("record_type") == "history"
    ]
    assert history[-1]["births"] == 8 and history[-1]["best_fitness"] == fitness
    kinds = {record.WhichOneof("record_type") for record in records}
    assert "exit" in kinds and any("artifact" in str(record)[:2000] for record in records)
