"""Networks of policies as a user writes them, in a file of tasks."""

MODULES = '''
import gymnasium
import numpy as np
import torch
from torch import nn
from germline.evaluators.tasks.gym import GymnasiumTask, GymTask


class Memory(nn.Module):
    """A GRU that gets None at the beginning of an episode."""

    def __init__(self, width=8):
        super().__init__()
        self.cell, self.head = nn.GRUCell(4, width), nn.Linear(width, 2)

    def forward(self, observation, state=None):
        state = self.cell(observation, state)
        return self.head(state), state


class Remembering(GymTask):
    """CartPole with a recurrent network."""

    name, environment, network = "remembering", "CartPole-v1", Memory


class Wider(Remembering):
    def network(self):
        return Memory(9)


class Layers(nn.Module):
    """Two LSTM layers whose first states forward creates itself, in single precision unless told otherwise."""

    def __init__(self):
        super().__init__()
        self.layers, self.head = nn.LSTM(4, 5, 2), nn.Linear(5, 2)

    def forward(self, x, state):
        if state is None:
            state = {"both": (torch.zeros(2, 1, 5), torch.zeros(2, 1, 5)), "count": torch.zeros(1, dtype=torch.int64)}
        outputs, both = self.layers(x[None], state["both"])
        return self.head(outputs[0]), {"both": both, "count": state["count"] + 1}


class Deep(Remembering):
    network = Layers


class Plain(Remembering):
    """Norms, dropout and a tensor in two places."""

    def network(self):
        tied = nn.Linear(6, 6)
        first = nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), tied, nn.Tanh(), tied
        return nn.Sequential(*first, nn.LayerNorm(6), nn.Linear(6, 2))


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 3, 2), nn.Linear(27, 2)

    def forward(self, x):
        return self.second(torch.relu(self.first(torch.outer(x[0], x[0])[None, None])).flatten(1))


class Pictures(Remembering):
    network = Convolutions


class Attention(nn.Module):
    """Attention over the last three observations, which are the state."""

    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True, norm_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x, state=None):
        seen = x[:, None].expand(-1, 3, -1) if state is None else torch.cat([state[:, 1:], x[:, None]], 1)
        return self.head(self.layer(seen)[:, -1]), seen


class Looking(Remembering):
    network = Attention


class Branch(nn.Module):
    """It decides by the value of a tensor, which `vmap` cannot."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, x):
        return self.left(x) if self.right(x).sum() > 0 else self.right(x)


class Branching(Remembering):
    network = Branch


class Torque(GymTask):
    """Pendulum, whose action is a number."""

    name, environment = "torque", "Pendulum-v1"

    def network(self):
        return nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 1))


class Blind(GymnasiumTask):
    """CartPole without velocities, in an environment of the user's own."""

    name = "blind"

    def make(self):
        wrapped = gymnasium.make("CartPole-v1")
        space = gymnasium.spaces.Box(-10, 10, (2,), np.float64)
        return gymnasium.wrappers.TransformObservation(wrapped, lambda seen: seen[[0, 2]].astype(np.float64), space)

    def network(self):
        class Hidden(nn.Module):
            def __init__(self):
                super().__init__()
                self.cell, self.head = nn.GRUCell(2, 8), nn.Linear(8, 2)

            def forward(self, x, state=None):
                state = self.cell(x, state)
                return self.head(state), state

        return Hidden()
'''
"""Modules of every kind, each the network of a task."""

NAMES = ("Remembering", "Deep", "Plain", "Pictures", "Looking", "Branching", "Torque", "Blind")
"""The tasks in `MODULES`, except `Wider`, which has other shapes than `Remembering`."""
