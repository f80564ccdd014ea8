"""A user's own module as the network of policies: how it is called, alone or for many policies at once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from germline.evaluators.errors import InvalidTask
from germline.evaluators.optimizer.modules.slots import Slots
from germline.evaluators.optimizer.modules.stacked_module import Way, single_operations
from germline.evaluators.policy.networks.own_module import fresh_module, own_tensors
from germline.evaluators.policy.networks.own_state import form_text, leaves_of, rounded, with_leaves
from germline.evaluators.policy.task import PolicyTask
from germline.programs.policy.own_tensor import OwnTensor

Rows = Mapping[str, Tensor]
"""Parameters of n policies by name, `[n, *shape]`."""
Leaves = Sequence[Tensor]
"""The tensors of the states of n policies, `[n, *shape]`."""


@dataclass(frozen=True)
class OwnNetwork:
    """The module of a task, in double precision and evaluation mode, and what is known of it.

    Attributes:
        task: the class of the task.
        module: its own parameters are replaced in each call.
        slots: the places of its parameters.
        recurrent: whether it takes and returns a state.
        state: an example of its state; None unless `recurrent`.
        double_default: whether it creates tensors that have to be of double precision by default.
        attends: whether it calls a function for attention, which is then computed in single operations.
        way: how policies are computed.
    """

    task: type[PolicyTask]
    module: nn.Module
    slots: Slots
    recurrent: bool
    state: Any = None
    double_default: bool = False
    attends: bool = False
    way: Way = "rules"

    @property
    def tensors(self) -> tuple[OwnTensor, ...]:
        """The parameters with their initial values."""
        return tensors_of(self.task)

    @property
    def nested(self) -> bool:
        """Whether its state is anything else than a single tensor with fractions."""
        return self.recurrent and not (isinstance(self.state, Tensor) and self.state.is_floating_point())

    def called(self, observation: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The outputs `[1, outputs]` and the next state, rounded as it is kept, for an observation
        `[1, *observation]` and a state; None: an episode begins. Without recurrence the next state is an empty tuple.
        """
        if not self.recurrent:
            return self.module(observation), ()
        outputs, after = self.module(observation, state)
        return outputs, with_leaves(after, [rounded(leaf) for leaf in leaves_of(after)])

    def outputs(self, rows: Rows, observations: Tensor, leaves: Leaves | None) -> tuple[Tensor, list[Tensor]]:
        """Outputs, float64 `[n, outputs]`, and the next states of n policies.

        Args:
            rows: parameters of each policy.
            observations: float64 `[n, 1, *observation]`.
            leaves: their states; None: their episodes begin.
        """
        with torch.no_grad(), self.defaults():
            return (
                self._alone(rows, observations, leaves)
                if self.way == "alone"
                else self._together(rows, observations, leaves)
            )

    @contextmanager
    def defaults(self) -> Iterator[None]:
        """The context in which the module is called."""
        precision = _double_default() if self.double_default else nullcontext()
        with precision, single_operations() if self.attends else nullcontext():
            yield

    def _together(self, rows: Rows, observations: Tensor, leaves: Leaves | None) -> tuple[Tensor, list[Tensor]]:
        def of_one(params: Rows, inputs: Rows) -> tuple[Tensor, dict[str, Tensor]]:
            state = None
            if leaves is not None:
                state = with_leaves(self.state, [inputs[str(i)] for i in range(len(leaves))])
            with self.slots.filled(params):
                outputs, after = self.called(inputs["observation"], state)
            return outputs[0], {str(i): leaf for i, leaf in enumerate(leaves_of(after))}

        inputs = {"observation": observations, **{str(i): leaf for i, leaf in enumerate(leaves or ())}}
        if self.way == "rules":
            # Imported here: it uses parts of torch that a release may lack; if so, the next way is tried.
            from germline.evaluators.optimizer.modules.together import with_rules

            outputs, after = with_rules(of_one, rows, inputs)
        else:
            outputs, after = torch.func.vmap(of_one)(rows, inputs)
        return outputs, list(after.values())

    def _alone(self, rows: Rows, observations: Tensor, leaves: Leaves | None) -> tuple[Tensor, list[Tensor]]:
        outputs, states = [], []
        for i, observation in enumerate(observations):
            state = None if leaves is None else with_leaves(self.state, [leaf[i] for leaf in leaves])
            with self.slots.filled({name: values[i] for name, values in rows.items()}):
                output, after = self.called(observation.clone(), state)  # the module may write into it
            if self.recurrent and form_text(after) != form_text(self.state):
                raise InvalidTask(
                    f"the state has to keep its form, got {form_text(after)} after {form_text(self.state)}"
                )
            outputs.append(output[0])
            states.append(leaves_of(after))
        return torch.stack(outputs), [torch.stack(leaf) for leaf in zip(*states, strict=True)]


@contextmanager
def _double_default() -> Iterator[None]:
    """The context in which torch creates tensors of double precision unless told otherwise."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def double_module(task: type[PolicyTask], device: str, seed: int = 0) -> nn.Module:
    """A fresh module of a task in double precision, on a device; `seed` as of `fresh_module`."""
    return fresh_module(task, seed).double().to(device)


@cache
def tensors_of(task: type[PolicyTask]) -> tuple[OwnTensor, ...]:
    """The parameters of the module of a task (`own_tensors`); the module is built for this once per process.

    Raises:
        InvalidTask: the module cannot be the network of policies.
    """
    try:
        return own_tensors(task)
    except InvalidTask as error:
        raise InvalidTask(f"{task.name}: {error}") from None
