"""Tasks of ordinary modules as a user writes them, in a file."""

DIGITS = '''
import torch
from torch import nn
from germline.evaluators.data.load import digits
from germline.evaluators.optimizer.module_task import ModuleTask


class Perceptron(ModuleTask):
    """A perceptron on handwritten digits of 8×8."""

    name = "perceptron"

    def model(self):
        return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def data(self):
        return torch.tensor(digits().images).flatten(1) / 16, torch.tensor(digits().labels)


class Normed(Perceptron):
    def model(self):
        return nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 10),
        )


class Branch(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, x):
        y = self.layer(x)
        return y if y.sum() > 0 else 2 * y


class Branching(Perceptron):
    model = Branch
'''
