"""The cores that this process may use."""

import os


def usable_cores() -> int:
    """Number of cores on which the system lets this process run; 1 if it does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
