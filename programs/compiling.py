"""Compiling with Numba."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from numba import njit


def compiled(**options: Any) -> Any:
    """Decorator: `njit` with its cache on disk. Where the disk cannot be written to, each process compiles anew."""

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            dispatcher = njit(cache=True, **options)(function)
        except RuntimeError:
            return njit(**options)(function)
        if hasattr(dispatcher, "_cache"):  # missing if Numba's compiler is off
            dispatcher._cache.save_overload = _ignoring_disk_errors(dispatcher._cache.save_overload)
        return dispatcher

    return decorate


def _ignoring_disk_errors(save: Callable[..., None]) -> Callable[..., None]:
    """`save`, which keeps nothing if the disk is full; compiled code runs without being kept."""

    def save_if_possible(*arguments: Any) -> None:
        with suppress(OSError):
            save(*arguments)

    return save_if_possible


def compiled_for(function: Any, signature: Any) -> Any:
    """The function compiled for one signature, and closed to others.

    Compiled code can call such a function by its address, and is not compiled again for each function it is given.
    With Numba's compiler off (`NUMBA_DISABLE_JIT`), the function as it is.
    """
    if hasattr(function, "compile"):
        function.compile(signature)
        function.disable_compile()
    return function
