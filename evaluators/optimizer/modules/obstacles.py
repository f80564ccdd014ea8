"""Why a module cannot be computed for many candidates at once, and what to change."""

import re
import traceback

from germline.evaluators.errors import in_a_line, message_of

_FUNCTIONS = {
    "pack_padded_sequence": "a packed sequence: run the layer over padded ones, and mask what follows",
    "checkpoint": "torch.utils.checkpoint computes its layers again in the backward pass: leave it out",
}
"""Hints by the name of the function in which `vmap` failed."""

_HINTS: tuple[tuple[str, str], ...] = (
    ("requires_grad_()", "it changes requires_grad in forward: freeze parameters in __init__"),
    ("data-dependent control flow", "it decides by the value of a tensor: use torch.where instead of `if`"),
    (
        ".item()",
        "it reads the value of a tensor: leave out item(), float() and the like, use torch.where instead of `if`, and "
        "a number for momentum of BatchNorm",
    ),
    (
        "aten::lstm",
        "an LSTM with dropout, proj_size or a packed sequence: use one LSTM for each layer, and padded sequences",
    ),
    ("aten::gru", "a GRU with dropout or a packed sequence: use one GRU for each layer, and padded sequences"),
    ("aten::rnn", "an RNN with dropout or a packed sequence: use one RNN for each layer, and padded sequences"),
    ("dynamic", "the shape of a result depends on values: multiply by a mask instead of selecting by it"),
    ("inplace", "it writes what a candidate has into a tensor of all: use operations that return new tensors"),
    ("in-place", "it writes what a candidate has into a tensor of all: use operations that return new tensors"),
    (
        "out= or view",
        "it writes into existing tensors, as spectral_norm does: use operations that return new tensors",
    ),
)

_NO_RULE = re.compile(r"(?:not yet support|not implemented for) aten::(\w+)")
"""How `vmap` names an operation of torch that it does not support."""


def obstacle_of(error: BaseException) -> str:
    """In one line, why `vmap` failed, and what to change if that is known."""
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.name in _FUNCTIONS:
            return _FUNCTIONS[frame.name]
    text = message_of(error)
    for part, hint in _HINTS:
        if part in text:
            return hint
    if missing := _NO_RULE.search(text):
        return f"torch.func.vmap has no rule for {missing[1]}: use another layer or function"
    return in_a_line(error)
