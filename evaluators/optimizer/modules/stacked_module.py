"""A module as a function of the stacked parameters of many candidates: by `vmap`, or one candidate after the other."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from germline.evaluators.optimizer.modules.one_by_one import OneByOne, Stacked
from germline.evaluators.optimizer.modules.randomness import seeded
from germline.evaluators.optimizer.modules.slots import Slots

Score = Callable[[Any, Tensor], Any]
"""A function of a model's output and the target that returns a tensor, or a dict of tensors, of no axes."""

Way = Literal["rules", "vmap", "alone"]
"""Together by `vmap` with rules of ours for common layers, together by `vmap` alone, or one after the other."""


class StackedModule:
    """A module whose trained parameters and kept tensors have a row for each candidate.

    Args:
        module: the module, in the mode and on the device in which it is called. What is not stacked is its own.
        names: of the tensors that are stacked.
        random: True if the module draws random numbers, as dropout does; all candidates then get the same draws.
        attends: True if the module calls a function for attention, which is then computed without fused kernels.

    Attributes:
        way: how candidates are computed.
        own_backward: see `OneByOne`, which has candidates one after the other.
    """

    def __init__(self, module: nn.Module, names: Iterable[str], random: bool, attends: bool) -> None:
        self.module = module
        self.attends = attends
        self.random = random
        self.way: Way = "rules"
        self.own_backward = True
        self._slots = Slots(module, names)

    def __call__(
        self, params: Stacked, kept: Stacked, inputs: Sequence[Tensor], target: Tensor, score: Score, seed: int
    ) -> Any:
        """What `score` returns for each candidate, `[N]`, or a dict of such tensors.

        Args:
            params: trained parameters by name, each `[N, *shape]`.
            kept: buffers, and parameters that are not trained, by name, each `[N, *shape]`; updated in place.
            inputs: what the module is called with, each `[batch, …]`, the same for all candidates.
            target: `[batch, …]`, likewise.
            score: function of the module's output and the target.
            seed: of the random numbers of this call.
        """

        if self.way == "alone":
            # Each with its own inputs: the module may write into them, as `nn.ReLU(inplace=True)` does.
            each = OneByOne(
                self._slots,
                lambda: score(self.module(*(part.clone() for part in inputs)), target.clone()),
                lambda: self._seeded(seed),
                self.own_backward,
            )
            return each.scores(params, kept)

        def together(params: Stacked, kept: Stacked) -> tuple[Any, dict[str, Tensor]]:
            with self._slots.filled({**params, **kept}):
                return score(self.module(*inputs), target), {name: self._slots.now(name) for name in kept}

        # The module writes into copies, because autograd may need what it has read.
        copies = {name: tensor.clone() for name, tensor in kept.items()}
        with self._seeded(seed), single_operations() if self.attends else nullcontext():
            if self.way == "rules":
                # Imported here: it uses parts of torch that a release may lack; if so, the next way is tried.
                from germline.evaluators.optimizer.modules.together import with_rules

                scores, after = with_rules(together, params, copies)
            else:
                scores, after = vmap(together, randomness="same")(params, copies)
        for name, tensor in after.items():
            kept[name].copy_(tensor.detach())
        return scores

    @contextmanager
    def _seeded(self, seed: int) -> Iterator[None]:
        """Random numbers from `seed`, if the module draws any."""
        with seeded(seed, torch.cuda.is_available()) if self.random else nullcontext():
            yield


@contextmanager
def single_operations() -> Iterator[None]:
    """Attention in single operations: `vmap` would run its fused kernels one candidate after the other."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
