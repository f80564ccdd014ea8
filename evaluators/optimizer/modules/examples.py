"""The data of a task as tensors whose rows are examples, and their division into splits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_collate

from germline.evaluators.data.load import SPLITS
from germline.evaluators.errors import InvalidTask, in_a_line, of_foreign_code, place_of, shown
from germline.evaluators.task import Split

_WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32)
Columns = tuple[Tensor, ...]
"""Tensors with a row for each example; the last holds the targets."""

SHUFFLE_SEED = 0
"""Seed of the order in which examples are divided into splits: the same for every run and every machine."""


@dataclass(frozen=True)
class Examples:
    """Examples in memory, and which of them belong to a split.

    Attributes:
        columns: tensors of the same length; the last holds the targets, the others are what the model is called with.
        rows: for each split the positions of its examples in the columns, int64.
    """

    columns: tuple[Tensor, ...]
    rows: Mapping[Split, Tensor]

    def batch(self, split: Split, index: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """The inputs and the target of the examples `index` of a split. Whole numbers are int64."""
        places = self.rows[split][index]
        batch = [column[places] for column in self.columns]
        *inputs, target = [part.long() if part.dtype in _WHOLE else part for part in batch]
        # A single column is its own target, as for an autoencoder; a copy, since the model may write into its inputs.
        return tuple(inputs or [target.clone()]), target


def examples_of(data: object, shares: Sequence[float], shuffled: bool, device: str, gap: int = 0) -> Examples:
    """Reads what the method `data` of a task returned.

    Args:
        data: a tensor or array, a tuple of them, a `Dataset` of known length, or a mapping from each split to one of
            these.
        shares: how much goes to train, validation and held-out: three numbers of examples, or three shares of all.
            Not used if `data` is a mapping.
        shuffled: whether the examples are divided in an order drawn by `SHUFFLE_SEED`; False: as they stand.
        device: where the tensors are kept.
        gap: examples that are left out at the end of train and of validation, if they are not shuffled.

    Raises:
        InvalidTask: the data are of another form, or a split is empty.
    """
    columns, order, sizes = _of_splits(data) if isinstance(data, Mapping) else _divided(data, shares, shuffled)
    if 0 in sizes:
        if isinstance(data, Mapping):
            raise InvalidTask(f"no split may be empty, but data has {sizes} examples of {', '.join(SPLITS)}")
        raise InvalidTask(f"no split may be empty, but {len(order)} examples are divided into {sizes}; set shares")
    rows = dict(zip(SPLITS, torch.split(order[: sum(sizes)].to(device), sizes), strict=True))
    if gap and not shuffled and not isinstance(data, Mapping):
        for split in SPLITS[:-1]:
            if len(rows[split]) <= gap:
                raise InvalidTask(
                    f"gap leaves out {gap} examples of {split}, which has {len(rows[split])}: set a smaller gap"
                )
            rows[split] = rows[split][:-gap]
    return Examples(tuple(column.to(device) for column in columns), rows)


def _of_splits(data: Mapping[Any, object]) -> tuple[Columns, Tensor, list[int]]:
    """The examples of each split as rows of the same columns; the rows in the order of the splits, and the number of
    examples of each."""
    if set(data) != set(SPLITS):
        raise InvalidTask(f"data by split has to have {', '.join(SPLITS)}, not {shown(sorted(map(str, data)))}")
    parts = [_columns(data[split]) for split in SPLITS]
    if len({len(part) for part in parts}) != 1:
        raise InvalidTask(
            f"each split of data has to have the same number of tensors, not {[len(part) for part in parts]}"
        )
    for number, column in enumerate(zip(*parts, strict=True)):
        forms = [f"{part.dtype} {tuple(part.shape[1:])}" for part in column]
        if len(set(forms)) != 1:
            each = ", ".join(f"{form} in {split}" for form, split in zip(forms, SPLITS, strict=True))
            raise InvalidTask(f"the examples of tensor {number} of data differ between splits: {each}")
    columns = tuple(torch.cat(column) for column in zip(*parts, strict=True))
    return columns, torch.arange(len(columns[0])), [len(part[0]) for part in parts]


def _divided(data: object, shares: Sequence[float], shuffled: bool) -> tuple[Columns, Tensor, list[int]]:
    """The columns of examples that are not yet divided; their rows in the order in which the splits get them, and the
    number of examples of each split."""
    columns = _columns(data)
    count = len(columns[0])
    generator = torch.Generator().manual_seed(SHUFFLE_SEED)
    order = torch.randperm(count, generator=generator) if shuffled else torch.arange(count)
    return columns, order, _sizes(count, shares)


def _sizes(count: int, shares: Sequence[float]) -> list[int]:
    """The number of examples of each split."""
    valid = len(shares) == len(SPLITS) and all(isinstance(share, int | float) and share > 0 for share in shares)
    if valid and all(isinstance(share, int) for share in shares) and sum(shares) <= count:
        return [int(share) for share in shares]
    if valid and not any(isinstance(share, int) for share in shares) and sum(shares) <= 1 + 1e-6:
        later = [floor(count * share) for share in shares[1:]]
        return [min(floor(count * shares[0] + 0.5), count - sum(later)), *later]
    raise InvalidTask(
        "shares has to be three shares of all examples such as (0.8, 0.1, 0.1), or three numbers of examples of "
        f"together at most {count}, not {shown(tuple(shares))}"
    )


def _columns(data: object) -> Columns:
    """Tensors of the same length, one row an example."""
    if isinstance(data, IterableDataset) or (isinstance(data, Dataset) and not hasattr(data, "__len__")):
        raise InvalidTask("data is a Dataset without a length; return a Dataset with __len__, or tensors")
    if isinstance(data, Dataset):
        data = _collated(data)
    values = data if isinstance(data, tuple | list) else (data,)
    columns = tuple(_column(value) for value in values)
    lengths = [len(column) for column in columns]
    if not columns or len(set(lengths)) != 1:
        raise InvalidTask(f"the tensors of data have to have the same number of examples, not {lengths}")
    return columns


def _column(value: object) -> Tensor:
    if not isinstance(value, Tensor | np.ndarray):
        change = "; return torch.tensor(…) of it" if isinstance(value, tuple | list) else ""
        change = "; return its .dataset" if isinstance(value, DataLoader) else change
        got = "a DataLoader" if isinstance(value, DataLoader) else shown(value)
        raise InvalidTask(
            f"data has to be tensors such as (inputs, targets), a Dataset, or one of these for each split, not {got}"
            f"{change}"
        )
    if isinstance(value, Tensor) and (value.is_nested or value.layout != torch.strided or value.is_quantized):
        what = "nested" if value.is_nested else "quantized" if value.is_quantized else "sparse"
        change = {"nested": "to_padded_tensor()", "quantized": "dequantize()", "sparse": "to_dense()"}[what]
        raise InvalidTask(f"data has a {what} tensor: return an ordinary tensor of it, by its method {change}")
    try:
        tensor = torch.as_tensor(value).detach()
    except (TypeError, ValueError) as error:
        raise InvalidTask(f"an array of data cannot be a tensor: {in_a_line(error)}") from error
    if not tensor.dim():
        raise InvalidTask(f"each tensor of data has to have a row for each example, not {shown(value)}")
    return tensor.float() if tensor.dtype == torch.float64 else tensor


def _collated(dataset: "Dataset[object]") -> object:
    """All items of a dataset as tensors, as a `DataLoader` makes a batch of them."""
    items = []
    for place in range(len(dataset)):  # type: ignore[arg-type]
        try:
            items.append(dataset[place])
        except of_foreign_code() as error:
            raise InvalidTask(f"item {place} of the Dataset failed with {in_a_line(error)}{place_of(error)}") from error
    if not items:
        raise InvalidTask("data is a Dataset without items")
    if isinstance(items[0], Mapping):
        keys = ", ".join(map(str, items[0]))
        raise InvalidTask(f"the items of a Dataset have to be pairs (input, target), not dicts of {keys:.80}")
    try:
        return default_collate(items)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidTask(
            f"the items of a Dataset have to be tensors or numbers of equal shapes, got {in_a_line(error)}"
        ) from error
