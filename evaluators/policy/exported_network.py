"""An exported network in the place of the search's own, to play the same episodes."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from germline.programs.policy.noise import Floats


class ExportedNetwork:
    """The network of one exported policy, called for one observation after the other, as it is used.

    Args:
        module: the exported class, with `forward`. One that also has `reset` is recurrent: `forward` takes and returns
            a state, which is kept for each slot.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self.recurrent = hasattr(module, "reset")
        self.slots: NDArray[np.int64] | None = None
        self.states: dict[int, Any] = {}
        """The state of each slot; a slot whose episode begins has none."""

    def assign_slots(self, slots: NDArray[np.int64], starting: NDArray[np.bool_]) -> None:
        """As `Networks.assign_slots`."""
        self.slots = slots
        for slot in slots[starting].tolist():
            self.states.pop(slot, None)

    def forward(self, policies: NDArray[np.int64], observations: NDArray[Any]) -> Floats:
        """As `Networks.forward`, of the only policy."""
        with torch.no_grad():
            if not self.recurrent:
                return np.stack([self.module(observation).numpy() for observation in observations])
            slots = [-1] * len(observations) if self.slots is None else self.slots.tolist()
            return np.stack([self._next(*pair) for pair in zip(slots, observations, strict=True)])

    def _next(self, slot: int, observation: NDArray[Any]) -> Floats:
        """Outputs `[outputs]` for the next observation in a slot; -1: in an episode of its own."""
        outputs, state = self.module(observation, self.states.get(slot))
        if slot >= 0:
            self.states[slot] = state
        array: Floats = outputs.numpy()
        return array
