"""What a recurrent network of a user's own remembers between decisions: tensors in tuples, lists and dicts."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from germline.evaluators.errors import InvalidTask, shown


def leaves_of(state: Any) -> list[Tensor]:
    """The tensors of a state in a fixed order.

    Raises:
        InvalidTask: the state holds something else.
    """
    return list(_leaves(state))


def with_leaves(form: Any, leaves: Sequence[Tensor]) -> Any:
    """A state of the same form as `form`, with these tensors in the order of `leaves_of`."""
    return _rebuilt(form, iter(leaves))


def form_text(state: Any) -> str:
    """The form of a state, equal for states with equal places, shapes and types of tensors: `(float [1, 16])`."""
    if isinstance(state, Tensor):
        return f"{'float' if state.is_floating_point() else str(state.dtype)[6:]} {list(state.shape)}"
    if isinstance(state, dict):
        return "{" + ", ".join(f"{key!r:.40}: {form_text(state[key])}" for key in _keys(state)) + "}"
    left, right = ("[", "]") if isinstance(state, list) else ("(", ")")
    return left + ", ".join(map(form_text, state)) + right


def rounded(leaf: Tensor) -> Tensor:
    """A tensor of a state as it is kept: rounded to single precision if it has fractions.

    Double precision would keep the last bits in which the computation beside other policies and the computation alone
    differ, and the dynamics of a network may amplify them.
    """
    return leaf.float().to(leaf.dtype) if leaf.is_floating_point() else leaf


def _leaves(state: Any) -> Iterator[Tensor]:
    if isinstance(state, Tensor):
        yield state
    elif type(state) in (tuple, list):
        for part in state:
            yield from _leaves(part)
    elif type(state) is dict:
        for key in _keys(state):
            yield from _leaves(state[key])
    else:
        raise InvalidTask(
            f"the state that forward returns has to be tensors, alone or in tuples, lists and dicts, got {shown(state)}"
        )


def _rebuilt(form: Any, leaves: Iterator[Tensor]) -> Any:
    if isinstance(form, Tensor):
        return next(leaves)
    if isinstance(form, dict):
        parts = {key: _rebuilt(form[key], leaves) for key in _keys(form)}
        return {key: parts[key] for key in form}
    return type(form)(_rebuilt(value, leaves) for value in form)


def _keys(state: dict[Any, Any]) -> list[Any]:
    """The keys of a dict in an order that does not depend on that in which a network has put them in."""
    return sorted(state, key=repr)
