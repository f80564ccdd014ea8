"""Chooses and checks the device, `cpu` or `cuda`, on which candidates are trained."""

from contextlib import suppress
from ctypes import CDLL
from pathlib import Path

from germline.evaluators.errors import in_a_line

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


def compute_exactly(device: str) -> None:
    """Makes torch's convolutions and products on a GPU give the same bits each time, in full single precision.

    Otherwise cuDNN may choose convolutions that sum in no fixed order, and rounds their inputs to eleven bits (TF32).
    The settings hold for the whole process; for a CPU there are none.
    """
    if device == "cpu":
        return
    import torch

    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def lost(device: str) -> str | None:
    """Returns why this process can no longer use a device, in a line; None if it can.

    After an assertion that failed on a GPU, or an access outside its memory, every later call in the process fails.
    """
    if device == "cpu":
        return None
    import torch

    try:
        torch.cuda.synchronize(device)
    except Exception as error:
        return in_a_line(error)
    return None


def memory_of(device: str) -> int | None:
    """Returns the bytes of memory of the GPU that this process would use; None without a GPU here."""
    if not _has_driver() or resolve("auto") == "cpu" or device == "cpu":
        return None
    import torch

    total: int = torch.cuda.get_device_properties("cuda").total_memory
    return total


def _has_driver() -> bool:
    """Returns True if a driver of NVIDIA or AMD is installed. Without one, torch would find no device either."""
    for library in ("libcuda.so.1", "nvcuda.dll"):
        with suppress(OSError):
            CDLL(library)
            return True
    return Path("/dev/kfd").exists()
