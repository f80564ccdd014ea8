"""Logs runs to Weights & Biases. With `WANDB_MODE=offline` it writes files, which `wandb sync` sends later."""

from collections.abc import Mapping
from typing import Any

from germline.db.records import RunRecord
from germline.search.loggers.run_logger import WinnerFile, run_id


class WandbLogger:
    """Writes through the package `wandb`, which finds key and server by itself.

    Args:
        project: name of the project.
    """

    def __init__(self, project: str = "germline") -> None:
        self.project = project
        self.run: Any = None

    def begin(self, run: RunRecord) -> None:
        import wandb

        self.run = wandb.init(
            project=self.project,
            id=run_id(run),
            name=run.name,
            resume="allow",
            config={"kind": run.kind, "task": run.task, "preset": run.preset, "seed": run.seed, **run.config},
            # Standard output is for the result of the command, and code of the user's is none of a logger's business.
            settings=wandb.Settings(console="off", silent=True, disable_code=True, disable_git=True),
        )
        self.run.define_metric("*", step_metric="births")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self.run.log({**values, "births": step})

    def finish(self, status: str, winner: WinnerFile | None) -> None:
        import wandb

        self.run.summary["status"] = status
        if winner is not None:
            artifact = wandb.Artifact(f"winner-{self.run.id}", type="genome", metadata=dict(winner.facts))
            with artifact.new_file(winner.name, mode="w", encoding="utf-8") as file:
                file.write(winner.genome)
            self.run.log_artifact(artifact)
        self.run.finish(exit_code=1 if status == "failed" else 0)
