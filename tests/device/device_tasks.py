"""Tasks that fail on purpose, for `device_failures.py`."""

from collections.abc import Mapping

import torch
from torch import Tensor

from germline.evaluators.task import Split
from germline.evaluators.tasks.digits_mlp import DigitsMLP


class Narrow(DigitsMLP):
    """`digits-mlp` on a device whose memory holds eight candidates."""

    name = "narrow"

    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        if len(params["output.bias"]) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().loss(params, split, index)


class Poisonable(DigitsMLP):
    """`digits-mlp` that reads behind the end of its data if a weight is large: on a GPU an assertion fails, after which
    the process cannot use the device any more."""

    name = "poisonable"

    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        large = (params["output.bias"].detach().abs() > 1e3).any()
        return super().loss(params, split, index + 1_000_000 * large.long())
