"""Compiling with Numba."""

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(**options: Any) -> Any:
    """`njit` that keeps what it made on disk; where no place for it can be written to, each process makes it anew."""

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:
            return njit(**options)(function)

    return decorate


def settled(function: Any, signature: Any) -> Any:
    """What was `compiled`, for this signature and no other one: so it can be handed to a compiled function, which calls
    it by its address and need not be compiled anew for it. Without Numba's compiler (`NUMBA_DISABLE_JIT`) as it is."""
    if hasattr(function, "compile"):
        function.compile(signature)
        function.disable_compile()
    return function
