"""Why a module cannot be computed for many candidates at once, and what to change."""

from germline.evaluators.errors import in_a_line, message_of

_HINTS: tuple[tuple[str, str], ...] = (
    (".item()", "it reads the value of a tensor (by `if`, int() or .item()): use torch.where"),
    ("data-dependent control flow", "it decides by the value of a tensor: use torch.where instead of `if`"),
    ("dynamic", "the shape of a result depends on values: multiply by a mask instead of selecting by it"),
    ("inplace", "it writes what a candidate has into a tensor of all: use operations that return new tensors"),
    (
        "in-place",
        "it writes what a candidate has into a tensor of all: use operations that return new tensors",
    ),
    ("momentum", "a BatchNorm has momentum None: give it a number"),
)


def obstacle_of(error: BaseException) -> str:
    """In one line, why `vmap` failed, and what to change if that is known."""
    text = message_of(error)
    for part, hint in _HINTS:
        if part in text:
            return hint
    return in_a_line(error)
