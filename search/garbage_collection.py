"""Makes Python's cyclic garbage collector run rarely during a search."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_RARE = (100_000, 50, 100)
"""Thresholds of the collector during a search. Breeding keeps many small tuples without cycles, and looking through all
of them again and again took a third of its time."""

_thresholds_before: list[tuple[int, int, int]] = []
"""The thresholds that each running search found when it began; the first entry holds those of the process."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Lets the collector run rarely. Searches may overlap: the last to end restores the thresholds of the process."""
    _thresholds_before.append(gc.get_threshold())
    gc.set_threshold(*_RARE)
    try:
        yield
    finally:
        if len(_thresholds_before) > 1:
            _thresholds_before.pop()
        else:
            gc.set_threshold(*_thresholds_before.pop())
