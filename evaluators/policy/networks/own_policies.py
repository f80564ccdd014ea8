"""Policies whose network is a user's own module: each row of a batch with its own parameters and its own state."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from germline.evaluators.errors import InvalidTask, in_a_line, of_foreign_code
from germline.evaluators.memory import out_of_memory
from germline.evaluators.policy.networks.own_network import OwnNetwork
from germline.evaluators.policy.networks.own_state import leaves_of
from germline.evaluators.policy.networks.own_trial import stacked_rows
from germline.programs.policy.network import OBSERVATION_LIMIT, Network
from germline.programs.policy.noise import Floats


class OwnPolicies:
    """Policies of one module.

    A slot keeps the state of its episode from one decision to the next, as float32 if it has fractions; an episode
    begins without a state.

    Args:
        network: the network of all policies, of the form `own`.
        parameters: the P parameters of each of N policies: float32 `[P]` each, or one array `[N, P]`.
        own: the module.
        device: a device of torch, on which the module is.
    """

    def __init__(
        self, network: Network, parameters: Sequence[Floats] | Floats, own: OwnNetwork, device: str = "cpu"
    ) -> None:
        self.network = network
        self.parameters = np.asarray(parameters, np.float32)
        self.own = own
        self.device = device
        self.normalisation = network.normalisation and tuple(
            torch.tensor(values, dtype=torch.float64, device=device).view(network.observation)
            for values in (network.normalisation.mean, network.normalisation.scale)
        )
        self.batch: NDArray[np.int64] | None = None
        """The argument `policies` of the last batch, None before the first; `rows` has its parameters by name."""
        self.rows: dict[str, Tensor] = {}
        self.slots: NDArray[np.int64] | None = None
        self.begins = np.zeros(0, np.bool_)
        """Whether the next decision of a slot is the first of an episode, by slot."""
        self.states: list[Tensor] = []
        """The state of each slot, `[slots, *shape]`."""

    def assign_slots(self, slots: NDArray[np.int64], starting: NDArray[np.bool_]) -> None:
        count = int(slots.max(initial=-1)) + 1
        if count > len(self.begins):
            self.begins = np.concatenate([self.begins, np.ones(count - len(self.begins), np.bool_)])
            fresh = [leaf.new_zeros(count, *leaf.shape) for leaf in self._forms()]
            for old, new in zip(self.states, fresh, strict=False):
                new[: len(old)] = old
            self.states = fresh
        self.slots = slots
        self.begins[slots[starting]] = True

    def forward_async(self, policies: NDArray[np.int64], observations: NDArray[Any]) -> Callable[[], Floats]:
        outputs = self.forward(policies, observations)
        return lambda: outputs

    def forward(self, policies: NDArray[np.int64], observations: NDArray[Any]) -> Floats:
        if policies is not self.batch:
            self.rows = stacked_rows(self.network, self.parameters[policies], self.device)
            self.batch = policies
        batch = torch.from_numpy(np.ascontiguousarray(observations)).to(self.device, torch.float64)
        if self.normalisation:
            mean, scale = self.normalisation
            batch = ((batch - mean) * scale).clamp(-OBSERVATION_LIMIT, OBSERVATION_LIMIT)
        before = torch.get_rng_state() if self.own.way == "alone" else None  # `vmap` refuses random numbers by itself
        try:
            outputs = self._outputs(batch[:, None])
            if before is not None and not torch.equal(before, torch.get_rng_state()):
                raise InvalidTask("random numbers that it has drawn after some decisions; leave them out")
        except of_foreign_code() as error:
            if out_of_memory(error):
                raise
            raise InvalidTask(
                f"expected outputs of the network of {self.own.task.name}, got {in_a_line(error)}"
            ) from error
        host: Floats = outputs.float().cpu().numpy()
        return host

    def _outputs(self, inputs: Tensor) -> Tensor:
        """Outputs, float64 `[n, outputs]`, for inputs `[n, 1, *observation]`; states are kept by slot."""
        if not self.own.recurrent or self.slots is None:  # the rows of this batch are unrelated to those of the last
            return self.own.outputs(self.rows, inputs, None)[0]
        begins = self.begins[self.slots]
        outputs = inputs.new_empty(len(inputs), self.network.output_count)
        for beginning in (True, False):
            places = np.flatnonzero(begins == beginning)
            if not places.size:
                continue
            slots = torch.from_numpy(self.slots[places]).to(self.device)
            rows, part, index = self.rows, inputs, torch.from_numpy(places).to(self.device)
            if places.size < len(inputs):
                rows, part = {name: values[index] for name, values in self.rows.items()}, inputs[index]
            leaves = None if beginning else [state[slots] for state in self.states]
            outputs[index], after = self.own.outputs(rows, part, leaves)
            for state, leaf in zip(self.states, after, strict=True):
                state[slots] = leaf
        self.begins[self.slots] = False
        return outputs

    def _forms(self) -> list[Tensor]:
        """Examples of the tensors of a state."""
        return leaves_of(self.own.state) if self.own.recurrent else []
