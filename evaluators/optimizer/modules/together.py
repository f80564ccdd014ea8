"""A function of one candidate, called for all candidates with rules of ours."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor
from torch._C import _functorch as functorch
from torch._functorch.vmap import lazy_load_decompositions  # type: ignore[attr-defined]

from germline.evaluators.optimizer.modules.layers import OwnRules

Tensors = Mapping[str, Tensor]
OfOne = Callable[[Tensors, Tensors], tuple[Any, Tensors]]


def with_rules(
    of_one: OfOne, params: Mapping[str, Tensor], kept: Mapping[str, Tensor]
) -> tuple[Any, dict[str, Tensor]]:
    """What `vmap(of_one, randomness="same")(params, kept)` returns, with less work around it.

    Args:
        of_one: a function of a candidate's tensors that returns a tensor, or a dict of tensors, and its kept tensors.
        params, kept: tensors `[N, *shape]` by name.
    """
    lazy_load_decompositions()
    count = len(next(iter(params.values())))
    level = functorch._vmap_increment_nesting(count, "same")

    def all_of(value: Tensor) -> Tensor:
        return functorch._remove_batch_dim(value, level, count, 0)

    try:
        wrapped = ({k: functorch._add_batch_dim(v, 0, level) for k, v in part.items()} for part in (params, kept))
        with OwnRules():
            scores, after = of_one(*wrapped)
        results = {k: all_of(v) for k, v in scores.items()} if isinstance(scores, dict) else all_of(scores)
        return results, {k: all_of(v) for k, v in after.items()}
    finally:
        functorch._vmap_decrement_nesting()
