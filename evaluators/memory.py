"""How the process gets and gives back memory."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_MMAP_THRESHOLD = 32 << 20


def keep_freed_memory() -> None:
    """Lets the C library keep what is freed, for the next step to use again.

    A training step frees and asks for the same few megabytes over and over. The C library of Linux hands such blocks
    back to the system at once, and every new page then costs a fault: up to a third of a step. Where there is no such
    library, nothing is done.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
