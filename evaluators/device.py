"""The device on which candidates are trained."""

from contextlib import suppress
from ctypes import CDLL
from pathlib import Path

DEVICES = ("auto", "cpu", "cuda")


class NoDevice(ValueError):
    """The requested device is not available."""


def resolve(device: str) -> str:
    """Returns `cpu` or `cuda` for one of `DEVICES`; `auto` is CUDA where it is available.

    Raises:
        NoDevice: CUDA is requested and not available, or the name is unknown.
    """
    if device not in DEVICES:
        raise NoDevice(f"expected a device out of {', '.join(DEVICES)}, got {device!r:.40}")
    if device == "cpu" or (device == "auto" and not _has_driver()):
        return "cpu"
    import torch  # here, since the import takes seconds and `cpu` does not need it

    if device == "cuda" and not torch.cuda.is_available():
        raise NoDevice("expected a CUDA device, found none; use --device cpu, or install a CUDA build of torch")
    return "cuda" if device == "cuda" or (device == "auto" and torch.cuda.is_available()) else "cpu"


def _has_driver() -> bool:
    """Returns True if a driver of NVIDIA or AMD is installed. Without one, torch would find no device either."""
    for library in ("libcuda.so.1", "nvcuda.dll"):
        with suppress(OSError):
            CDLL(library)
            return True
    return Path("/dev/kfd").exists()
