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
    """`save` without disk errors: if the disk is full, compiled code runs without being stored."""

    def save_if_possible(*arguments: Any) -> None:
        with suppress(OSError):
            save(*arguments)

    return save_if_possible


def compiled_for(function: Any, signature: Any) -> Any:
    """The function compiled for a single signature.

    Compiled code that takes such functions as arguments calls them by address, and so is compiled once for all of
    them. If Numba's compiler is off (`NUMBA_DISABLE_JIT`), returns the function unchanged.
    """
    if hasattr(function, "compile"):
        function.compile(signature)
        function.disable_compile()
    return function
