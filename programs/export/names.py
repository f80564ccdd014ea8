"""Names for exported code that do not clash with Python, PyTorch or the code around them."""

import builtins
import keyword
import re
from collections.abc import Collection

_STEP = ("self", "group", "params", "p", "i", "state", "closure", "loss", "w", "g", "lr", "step")
_LISTS = ("grads", "grad", "steps", "numbers", "columns", "lists", "indices", "grouped", "options", "like")
_IMPORTS = ("torch", "math", "Any", "Callable", "Iterable")
_GROUP_KEYS = (
    "param_names",
    "maximize",
    "foreach",
    "capturable",
    "differentiable",
    "fused",
    "betas",
    "momentum",
    "evaluating",
)
_SCHEDULER_KEYS = ("initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum", "swa_lr")
_AMBIGUOUS = ("l", "O", "I")

RESERVED = frozenset(
    (
        *_STEP,
        *_LISTS,
        *_IMPORTS,
        *_GROUP_KEYS,
        *_SCHEDULER_KEYS,
        *_AMBIGUOUS,
        *keyword.kwlist,
        *keyword.softkwlist,
        *dir(builtins),
    )
)
"""Names of Python, of PyTorch's parameter groups, and of the code around an exported optimizer's own lines."""


def class_name_for(name: str | None, birth: int | None = None) -> str:
    """A class name for a run or a program of the library: `my-run` and birth 12 give `MyRun12`.

    `Evolved` stands for None. `Optimizer` comes before a name that begins with a digit, and behind a reserved name.
    """
    words = re.findall(r"[A-Za-z0-9]+", name or "")
    joined = "".join(word[0].upper() + word[1:] for word in words)[:60] or "Evolved"
    if joined[0].isdigit():
        joined = "Optimizer" + joined
    joined += "" if birth is None else str(birth)
    return free_name(joined, RESERVED, "Optimizer")


def check_class_name(name: str) -> None:
    """Raises ValueError for a name that exported code cannot give to a class."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,99}", name) or name in RESERVED:
        raise ValueError(
            f"expected a class name of letters, digits and _ (a letter first) that Python does not use itself, "
            f"got {name!r:.60}; write a name such as MyRun12"
        )


def free_name(class_name: str, used: Collection[str], suffix: str) -> str:
    """The class name, with a suffix if it is one of the `used` names."""
    return class_name + suffix if class_name in used else class_name


def check_free_name(class_name: str, used: Collection[str], suffix: str) -> None:
    """Raises ValueError for a class name that the exported file uses for something else."""
    if class_name in used or not class_name.isidentifier():
        raise ValueError(
            f"expected a class name that the file does not use itself, got {class_name!r:.60}; write a name such as "
            f"{free_name(class_name, used, suffix) if class_name.isidentifier() else f'My{suffix}'}"
        )


def numbered_name(name: str, used: Collection[str], separator: str = "") -> str:
    """`name`, or the first of name2, name3, … that is not one of the `used` names; `separator` is before the number."""
    number, candidate = 1, name
    while candidate in used:
        number += 1
        candidate = f"{name}{separator}{number}"
    return candidate
