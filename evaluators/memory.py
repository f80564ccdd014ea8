"""How the process gets and gives back memory."""

import ctypes
import gc
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_MMAP_THRESHOLD = 32 << 20


def keep_freed_memory() -> None:
    """Lets the C library keep what is freed, for the next step to use again.

    A training step frees and asks for the same few megabytes over and over. The C library of Linux hands such blocks
    back to the system at once, and every new page then costs a fault: up to a third of a step. It holds for the whole
    process. Where there is no such library, nothing is done.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the host, has no more memory."""
    # torch's class is known by its name, so that the executors need not import torch; the libraries below torch say it
    # in words.
    said = ("can't allocate memory", "out of memory", "ALLOC_FAILED")
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and any(words in str(error) for words in said))
    )


def release_memory(device: str) -> None:
    """Hands back what is kept for later, so that a smaller attempt begins with all of the device's memory."""
    gc.collect()
    if device == "cpu":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
        if trim is not None:
            trim(0)
    else:
        import torch

        torch.cuda.empty_cache()
