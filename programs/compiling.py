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
