"""Why a module cannot be computed for many candidates at once, and what to change."""

from germline.evaluators.errors import in_a_line, message_of

_HINTS: tuple[tuple[str, str], ...] = (
    ("requires_grad_()", "it changes requires_grad in forward: freeze parameters in __init__"),
    ("data-dependent control flow", "it decides by the value of a tensor: use torch.where instead of `if`"),
    (".item()", "it reads the value of a tensor: use torch.where, and a number for momentum of BatchNorm"),
    ("aten::lstm", "an LSTM with dropout, or of a packed sequence: use one LSTM for each layer, and nn.Dropout"),
    ("aten::gru", "a GRU with dropout, or of a packed sequence: use one GRU for each layer, and nn.Dropout"),
    ("aten::rnn", "an RNN with dropout, or of a packed sequence: use one RNN for each layer, and nn.Dropout"),
    ("dynamic", "the shape of a result depends on values: multiply by a mask instead of selecting by it"),
    ("inplace", "it writes what a candidate has into a tensor of all: use operations that return new tensors"),
    ("in-place", "it writes what a candidate has into a tensor of all: use operations that return new tensors"),
    (
        "out= or view",
        "it writes into existing tensors, as spectral_norm does: use operations that return new tensors",
    ),
)


def obstacle_of(error: BaseException) -> str:
    """In one line, why `vmap` failed, and what to change if that is known."""
    text = message_of(error)
    for part, hint in _HINTS:
        if part in text:
            return hint
    return in_a_line(error)
