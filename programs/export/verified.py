"""Exports that have been compared with their reference, and the comparisons that every kind of export uses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from torch import Tensor, nn

Content = TypeVar("Content", str, bytes)
"""What the exported file holds: source text, or the bytes of an ONNX model."""


class ExportMismatch(ValueError):
    """An export differs from its reference; the message says in what and by how much."""


class Verification(NamedTuple):
    """What a comparison of an exported optimizer with its program showed.

    Attributes:
        difference: the largest relative difference.
        unseen_arguments: arguments of which no value that was tried changes a result, so that it shows nothing of them.
    """

    difference: float
    unseen_arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class VerifiedExport(Generic[Content]):
    """An export that has been loaded and compared with its reference. Only the `verified_*` functions create it.

    Attributes:
        content: the exported file.
        class_name: the class that the file defines; None for an ONNX model.
        difference: the largest relative difference from the reference.
        tolerance: the largest difference allowed; 0 where export and reference have to be equal.
        facts: numbers about the export by name, such as `parameters`.
        weights: the bytes of the safetensors file that belongs beside it; None if there is none.
        module: the loaded network with its weights, for further comparisons; None where none are needed.
        not_finite_from: of an optimizer: the first step of the test, counted from 1, after which no parameter is
            finite, so that nothing is known of what comes then; None if some stay finite.
        unseen_arguments: of an optimizer: as of `Verification`; None for other kinds.
    """

    content: Content
    class_name: str | None = None
    difference: float = 0.0
    tolerance: float = 0.0
    facts: Mapping[str, int] = field(default_factory=dict)
    weights: bytes | None = None
    module: nn.Module | None = None
    not_finite_from: int | None = None
    unseen_arguments: tuple[str, ...] | None = None


def check_equal(quantity: str, exported: object, expected: object) -> None:
    """Raises ExportMismatch unless an exported quantity equals the expected quantity."""
    if exported != expected:
        raise ExportMismatch(f"expected {quantity} of the export to be {expected!s:.200}, got {exported!s:.200}")


def check_difference(quantity: str, difference: float, tolerance: float = 0.0, hint: str = "") -> None:
    """Raises ExportMismatch if a difference is above its tolerance, or NaN.

    Args:
        quantity: what has been compared.
        difference: the largest difference between export and reference.
        tolerance: the largest difference allowed.
        hint: the end of the message.
    """
    if not difference <= tolerance:
        bound = f" to {tolerance:g}" if tolerance else ""
        raise ExportMismatch(f"expected the same {quantity}{bound}, got a difference of {difference:.3g}{hint}")


def difference_to_largest(exported: Tensor, expected: Tensor) -> float:
    """The largest absolute difference of two tensors, relative to the largest expected magnitude.

    NaN if either tensor contains NaN.
    """
    return float((exported - expected).abs().max() / expected.abs().max().clamp(min=1e-12))
