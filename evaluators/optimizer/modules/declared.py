"""What a class declares in one of several forms: a method, a plain function, a class, an object that can be called."""

import inspect
from collections.abc import Callable
from typing import Any


def declared(owner: type, instance: object, name: str) -> Callable[..., Any]:
    """The attribute `name` of a class as a function to be called without `self`.

    A function whose first argument is `self`, and a `classmethod`, are methods; any other function, such as
    `torch.nn.functional.cross_entropy`, is taken as it is, though it stands in the class without `staticmethod`.
    """
    raw = inspect.getattr_static(owner, name)
    function: Callable[..., Any] = raw if is_plain_function(raw) else getattr(instance, name)
    return function


def is_plain_function(raw: object) -> bool:
    """Whether what stands in a class is a function without `self`, to be called as it is."""
    return inspect.isfunction(raw) and next(iter(inspect.signature(raw).parameters), None) != "self"
