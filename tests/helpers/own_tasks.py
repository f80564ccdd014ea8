"""Tasks as a user writes them, in files."""

from pathlib import Path

LINE = '''
import torch
from germline.evaluators.task import Rung
from germline.evaluators.optimizer.task import ParameterSpec, TrainingTask


class Line(TrainingTask):
    """Fit a noisy line in eight dimensions: the task of the documentation, whose products round by their size."""

    name = "line"
    rungs = (Rung(100, 32), Rung(1_000, 32))
    parameters = (ParameterSpec("weight", (8,), 0.1), ParameterSpec("bias", (), 0.0))

    def __init__(self, device="cpu"):
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(1_000, 8, generator=generator)
        y = x @ torch.arange(8.0) + 0.1 * torch.randn(1_000, generator=generator)
        self.parts = {"train": slice(0, 800), "validation": slice(800, 900), "heldout": slice(900, 1_000)}
        self.x, self.y = x.to(device), y.to(device)

    def size(self, split):
        return len(self.x[self.parts[split]])

    def loss(self, params, split, index):
        x, y = self.x[self.parts[split]][index], self.y[self.parts[split]][index]
        prediction = torch.einsum("bd,nd->nb", x, params["weight"]) + params["bias"][:, None]
        return (prediction - y).square().mean(1)

    def measure(self, params, split):
        return {"loss": self.loss(params, split, torch.arange(self.size(split)))}
'''


def task_file(folder: Path, text: str, name: str = "own.py") -> Path:
    """Writes the text of tasks to a file in `folder`, and returns its path."""
    path = folder / name
    path.write_text(text)
    return path
