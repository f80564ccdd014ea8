"""Where candidates are trained."""

DEVICES = ("auto", "cpu", "cuda")


class NoDevice(ValueError):
    """The device that was asked for is not there."""


def resolve(device: str) -> str:
    """`cpu` or `cuda` for one of `DEVICES`; `auto` takes CUDA where there is one.

    Raises:
        NoDevice: CUDA was asked for and is not there, or the name is unknown.
    """
    import torch  # here, so that naming a device costs nothing

    if device not in DEVICES:
        raise NoDevice(f"expected a device out of {', '.join(DEVICES)}, got {device!r:.40}")
    if device == "cuda" and not torch.cuda.is_available():
        raise NoDevice("expected a CUDA device, found none; use --device cpu, or install a CUDA build of torch")
    return "cuda" if device == "cuda" or (device == "auto" and torch.cuda.is_available()) else "cpu"
