"""Where candidates are trained."""

from contextlib import suppress
from ctypes import CDLL
from pathlib import Path

DEVICES = ("auto", "cpu", "cuda")


class NoDevice(ValueError):
    """The device that was asked for is not there."""


def resolve(device: str) -> str:
    """`cpu` or `cuda` for one of `DEVICES`; `auto` takes CUDA where there is one.

    Raises:
        NoDevice: CUDA was asked for and is not there, or the name is unknown.
    """
    if device not in DEVICES:
        raise NoDevice(f"expected a device out of {', '.join(DEVICES)}, got {device!r:.40}")
    if device == "cpu" or (device == "auto" and not _driver()):
        return "cpu"
    import torch  # here, since it takes seconds, and naming a device should cost nothing

    if device == "cuda" and not torch.cuda.is_available():
        raise NoDevice("expected a CUDA device, found none; use --device cpu, or install a CUDA build of torch")
    return "cuda" if device == "cuda" or (device == "auto" and torch.cuda.is_available()) else "cpu"


def _driver() -> bool:
    """Whether there is a driver of NVIDIA or AMD; without one torch finds no device, and need not be asked."""
    for library in ("libcuda.so.1", "nvcuda.dll"):
        with suppress(OSError):
            CDLL(library)
            return True
    return Path("/dev/kfd").exists()
