"""The comparison of a candidate's numbers with those of the module itself in a plain loop of torch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from germline.evaluators.errors import InvalidTask
from germline.evaluators.optimizer.modules.plain_values import different, trained_elsewhere
from germline.evaluators.optimizer.modules.randomness import seeded
from germline.evaluators.optimizer.modules.template import other_tensors

SLACK = 1e-4
"""Relative difference at which numbers of the same operations on the same shapes count as different."""


@dataclass(frozen=True)
class Numbers:
    """What a call gives: `loss` of no axes, the gradient of each trained parameter by name (empty in evaluation
    mode), and the other tensors as the call left them, by name."""

    loss: Tensor
    gradients: Mapping[str, Tensor]
    others: Mapping[str, Tensor]


def plain_numbers(module: nn.Module, loss_of: Callable[[nn.Module], Tensor]) -> Numbers:
    """The numbers of a module by `backward`, as a plain loop has them, with random numbers of seed 0.

    Args:
        module: in training mode, or in the mode in which it is measured, without gradients then.
        loss_of: its loss on some examples.
    """
    parameters = {name: each for name, each in module.named_parameters() if each.requires_grad}
    with seeded(0, torch.cuda.is_available()), torch.set_grad_enabled(module.training):
        loss = loss_of(module)
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
    gradients = {name: torch.zeros_like(each) if each.grad is None else each.grad for name, each in parameters.items()}
    return Numbers(loss.detach(), gradients if module.training else {}, other_tensors(module))


def check_candidate(ours: Numbers, plain: Numbers, used: nn.Module, fresh: Callable[[int], nn.Module]) -> None:
    """Refuses a module whose candidates get other numbers than the module itself.

    Args:
        ours: what a candidate gets from `used`.
        plain: what a module with the same weights gets that was called for the first time.
        used: the module that candidates pass through, which has the weights of seed 0, and was called before.
        fresh: returns a module that was not called, with the weights of a seed.

    Raises:
        InvalidTask: a number is another; it names what the module holds elsewhere than in its parameters and buffers.
    """
    same_loss = alike(ours.loss, plain.loss, 0.0)
    largest = max((float(each.abs().max()) for each in plain.gradients.values() if each.numel()), default=0.0)
    wrong = [name for name, each in plain.gradients.items() if not alike(ours.gradients[name], each, SLACK * largest)]
    others = [name for name, value in ours.others.items() if not alike(value, plain.others[name], 0.0)]
    if same_loss and not wrong and not others:
        return
    if not same_loss:
        mode = "training" if used.training else "evaluation"
        what = f"the loss in {mode} mode is {float(ours.loss):.6g}, not the {float(plain.loss):.6g} of"
    elif wrong:
        what = f"the gradient of {', '.join(wrong[:3])} is another than that of"
    else:
        what = f"a call leaves other values in {', '.join(others[:3])} than in"
    raise InvalidTask(f"with the weights of a candidate {what} the module by itself: {_cause(used, fresh)}")


def _cause(used: nn.Module, fresh: Callable[[int], nn.Module]) -> str:
    """Why the numbers of candidates are others, as far as can be told, and what to change."""
    first, second = fresh(0), fresh(1)
    drawn = different(second, first)
    if held := trained_elsewhere(second, drawn):
        return (
            f"{_listed(held)} holds parameters or layers in a list, a tuple or a dict, which candidates cannot "
            "replace; use them as attributes alone, or an nn.ParameterList or nn.ModuleList"
        )
    if drawn:
        return (
            f"model() draws {_listed(drawn)}, which is a plain attribute and would have the value of the first seed in "
            "all evaluations; register it as a buffer, or let it be the same for all seeds"
        )
    if changed := different(used, first):
        return (
            f"{_listed(changed)} keeps what an earlier call computed; compute it in each call, or register it as a "
            "buffer, so that each candidate has its own"
        )
    return (
        "it keeps weights or earlier results elsewhere than in parameters and buffers, as in a hook, a function, a "
        "class or a global; keep them in attributes that are parameters or buffers"
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3])


def alike(a: Tensor, b: Tensor, slack: float) -> bool:
    """Whether two tensors are equal but for rounding, that is by `SLACK` of the largest number of `b` or by `slack`,
    with NaN where the other has NaN."""
    if a.shape != b.shape:
        return False
    a, b = a.detach().double(), b.detach().double()
    most = slack + (SLACK * float(b[b.isfinite()].abs().amax()) if b.isfinite().any() else 0.0)
    return bool((((a - b).abs() <= most) | (a == b) | (a.isnan() & b.isnan())).all())
