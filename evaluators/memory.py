"""Memory of the process: keeping and returning freed memory, and recognising errors of exhausted memory."""

import ctypes
import gc
import os
import sys
from contextlib import suppress
from pathlib import Path

from germline.evaluators.errors import message_of

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_MMAP_THRESHOLD = 32 << 20


def keep_freed_memory() -> None:
    """Makes the C library of Linux keep freed memory for the next allocation, in the whole process.

    A training step frees and allocates the same few megabytes again and again. By default such blocks return to the
    system at once, and every new page then costs a page fault: up to a third of a step. On other systems this does
    nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def out_of_memory(error: BaseException) -> bool:
    """Returns True if the error means that the device or the host has no memory left."""
    # torch's class is recognised by name, so that executors need not import torch; the libraries below torch raise
    # RuntimeError with one of these texts.
    texts = ("can't allocate memory", "out of memory", "ALLOC_FAILED", "ALLOCATION_FAILED")
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and any(text in message_of(error) for text in texts))
    )


def release_memory(device: str) -> None:
    """Returns cached memory to the device, so that a smaller attempt starts with all of it."""
    gc.collect()
    if device == "cpu":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
        if trim is not None:
            trim(0)
    else:
        import torch  # here, so that executors need not import torch

        torch.cuda.empty_cache()


def memory_of_machine() -> int:
    """Returns the bytes of memory that this process may use: the machine's, or the limit of its control group."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # no such group, or `max`
            limits.append(int(Path(file).read_text()))
    return min(limits)
