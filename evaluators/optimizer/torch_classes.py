"""Optimizers of torch as contenders: `torch:AdamW`, or a class in a file, `path/to/file.py:Class`.

Such a name decides what is imported. It comes from the user's own command, never from a genome or a database.
"""

import inspect

import torch

from germline.evaluators.errors import InvalidTask
from germline.evaluators.tasks import task_files
from germline.evaluators.tasks.name_grammar import file_and_class, is_in_file

PREFIX = "torch:"
NOT_COMPARED = ("LBFGS", "SparseAdam")
"""Classes of torch that cannot be stepped with the gradients of a batch."""


class InvalidClass(ValueError):
    """A name is not that of an optimizer of torch."""


def is_class_name(name: str) -> bool:
    """Returns True if a name has the form of a class: `torch:NAME`, or a file that ends in `.py` with a class."""
    return name.startswith(PREFIX) or is_in_file(name)


def optimizer_class(name: str) -> type[torch.optim.Optimizer]:
    """Imports the class of a name.

    Raises:
        InvalidClass: there is no such class, its file cannot be imported, or it is no optimizer of torch.
    """
    if name.startswith(PREFIX):
        named: object = getattr(torch.optim, name.removeprefix(PREFIX), None)
        if not _is_optimizer(named) or name.removeprefix(PREFIX) in NOT_COMPARED:
            known = [key for key in dir(torch.optim) if _is_optimizer(getattr(torch.optim, key))]
            listed = ", ".join(key for key in known if key not in NOT_COMPARED)
            raise InvalidClass(f"expected torch:NAME with one of {listed}, got {name!r:.80}")
    else:
        try:
            named = task_files.load(name, "optimizer")
        except InvalidTask as error:
            raise InvalidClass(str(error)) from error
        if not _is_optimizer(named):
            raise InvalidClass(f"expected a subclass of torch.optim.Optimizer, got {name!r:.200}; derive it from that")
    assert inspect.isclass(named) and issubclass(named, torch.optim.Optimizer)
    return named


def exact_name(name: str) -> str:
    """Returns a name that changes with the code of a class: with a digest of its file, or the version of torch.

    Raises:
        InvalidClass: the file does not exist.
    """
    if name.startswith(PREFIX):
        return f"{name}@{torch.__version__}"
    try:
        path, class_name = file_and_class(name, "optimizer")
    except InvalidTask as error:
        raise InvalidClass(str(error)) from error
    return f"{path.name}:{class_name}@{task_files.digest_of(path)}"


def _is_optimizer(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, torch.optim.Optimizer) and value is not torch.optim.Optimizer
