"""Logs runs for TensorBoard: `tensorboard --logdir DIR` shows each run by its name."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from germline.db.records import RunRecord
from germline.search.loggers.run_logger import WinnerFile, run_id


class TensorBoardLogger:
    """Writes event files to `FOLDER/RUN`, with the winner beside them as a file and in the tab of texts.

    Args:
        folder: is made when a run begins.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer: Any = None
        self.step = 0

    def begin(self, run: RunRecord) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.place = self.folder / folder_name(run)
        self.writer = SummaryWriter(str(self.place))
        self.writer.add_text("config", _block(json.dumps(dict(run.config), indent=2)), 0)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self.step = step
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def finish(self, status: str, winner: WinnerFile | None) -> None:
        if winner is not None:
            (self.place / winner.name).write_text(winner.genome, encoding="utf-8")
            text = f"{winner.genome}\n\n{json.dumps(dict(winner.facts), indent=2)}"
            self.writer.add_text("winner", _block(text), self.step)
        self.writer.add_text("status", status, self.step)
        self.writer.close()


def folder_name(run: RunRecord) -> str:
    """The name of a run as that of a folder. A name from a foreign database can lead to no other place."""
    if re.fullmatch(r"[\w-][\w.-]{0,99}", run.name):
        return run.name
    return f"run-{run_id(run)}"


def _block(text: str) -> str:
    """A text as a block of code of Markdown, in which it can mark nothing up."""
    return "\n".join(f"    {line}" for line in text.splitlines())
