"""The rows of a pack as the model sees them, which may be in another order than those of the engine."""

import torch
from torch import Tensor

from germline.evaluators.optimizer.engine import ProgramEngine


class ModelRows:
    """The parameters and gradients of a pack's candidates in the order in which they pass through the model.

    Args:
        engine: the engine that updates them, in an order of its own: programs that run alike stand together.
        in_place: True: row i belongs to candidate i. False: the order of the engine, which needs no copies.

    Attributes:
        candidates: the candidate of each row.
        parameters, gradients: float32 `[N, P]`; the engine's own buffers if both have the same order.
    """

    def __init__(self, engine: ProgramEngine, in_place: bool) -> None:
        self.engine = engine
        self.order: Tensor | None = None
        self.candidates, self.parameters, self.gradients = engine.order, engine.parameters, engine.gradients
        if in_place and engine.order != sorted(engine.order):
            self.candidates = sorted(engine.order)
            self.order = torch.tensor(engine.order, device=engine.parameters.device)
            stride = engine.parameters.stride(0)  # rows begin at the same alignment as in the engine
            self.parameters, self.gradients = (
                engine.parameters.new_zeros(len(self.candidates), stride)[:, : engine.parameters.shape[1]]
                for _ in range(2)
            )

    @torch.no_grad()
    def read(self) -> None:
        """Copies the parameters from the engine, if the model has another order."""
        if self.order is not None:
            self.parameters[self.order] = self.engine.parameters

    def write_gradients(self) -> None:
        """Copies the gradients to the engine, if the model has another order."""
        if self.order is not None:
            self.engine.gradients.copy_(self.gradients[self.order])

    def of_engine(self, values: Tensor) -> Tensor:
        """A value of each row, `[N]`, in the order of the engine."""
        return values if self.order is None else values[self.order]
