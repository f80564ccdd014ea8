"""Logs runs to MLflow: one MLflow run for each run of Germline, in the experiment `germline`."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from germline.db.records import RunRecord
from germline.search.loggers.run_logger import WinnerFile, run_id

EXPERIMENT = "germline"
_TAG = "germline.run_id"
_STATES = {"finished": "FINISHED", "failed": "FAILED"}
_LONGEST, _MOST = 500, 100
"""Characters of a parameter, and parameters in one request, that every server takes."""


class MLflowLogger:
    """Writes through MLflow's client.

    Args:
        uri: the tracking URI: a server, a database or a folder. None: MLflow's own choice, by `MLFLOW_TRACKING_URI`.
    """

    def __init__(self, uri: str | None = None) -> None:
        self.uri = uri
        self.client: Any = None
        self.id = ""

    def begin(self, run: RunRecord) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Param

        self.client = MlflowClient(tracking_uri=self.uri)
        experiment = self.client.get_experiment_by_name(EXPERIMENT)
        number = experiment.experiment_id if experiment else self.client.create_experiment(EXPERIMENT)
        earlier = self.client.search_runs([number], f"tags.`{_TAG}` = '{run_id(run)}'", max_results=1)
        if earlier:
            self.id = earlier[0].info.run_id
            self.client.set_terminated(self.id, "RUNNING")
            return
        tags = {_TAG: run_id(run), "germline.kind": run.kind}
        self.id = self.client.create_run(number, run_name=run.name, tags=tags).info.run_id
        values = {"task": run.task, "preset": run.preset, "seed": run.seed, **dict(_flat(run.config))}
        params = [Param(name, str(value)[:_LONGEST]) for name, value in values.items()]
        for first in range(0, len(params), _MOST):
            self.client.log_batch(self.id, params=params[first : first + _MOST])

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self.client.log_batch(self.id, [Metric(name, value, now, step) for name, value in values.items()])

    def finish(self, status: str, winner: WinnerFile | None) -> None:
        if winner is not None:
            self.client.log_text(self.id, winner.genome, winner.name)
            self.client.log_text(self.id, json.dumps(dict(winner.facts), indent=2), "winner_facts.json")
        self.client.set_terminated(self.id, _STATES.get(status, "KILLED"))


def _flat(config: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a config with their keys joined by dots."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
