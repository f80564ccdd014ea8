"""Compiling with Numba."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from numba import njit


def compiled(**options: Any) -> Any:
    """`njit` that keeps what it made on disk; where it cannot be written to, each process makes it anew."""

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            made = njit(cache=True, **options)(function)
        except RuntimeError:
            return njit(**options)(function)
        if hasattr(made, "_cache"):  # not if Numba's compiler is off
            made._cache.save_overload = _forgiving(made._cache.save_overload)
        return made

    return decorate


def _forgiving(save: Callable[..., None]) -> Callable[..., None]:
    """Where the disk is full, nothing is kept, and what was compiled is used all the same."""

    def saved(*arguments: Any) -> None:
        with suppress(OSError):
            save(*arguments)

    return saved


def settled(function: Any, signature: Any) -> Any:
    """What was `compiled`, for this signature and no other one: so it can be handed to a compiled function, which calls
    it by its address and need not be compiled anew for it. Without Numba's compiler (`NUMBA_DISABLE_JIT`) as it is."""
    if hasattr(function, "compile"):
        function.compile(signature)
        function.disable_compile()
    return function
