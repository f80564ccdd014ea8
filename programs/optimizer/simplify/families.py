"""Families: programs whose simplified forms are one form, whatever the names of its values and its constants."""

from hashlib import blake2b
from typing import NamedTuple

from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import Program
from germline.programs.optimizer.simplify.engine import MAX_TOTAL_WORK, reduce
from germline.programs.optimizer.simplify.form import Form
from germline.programs.optimizer.simplify.rewriting import from_program
from germline.programs.optimizer.simplify.rule import Tier

WORK = 20_000
"""Nodes of a program's forms that are looked at or rewritten at most: some hundredths of a second, without detours."""


_CONSTANT = b"constant"
"""The key of every number, if constants do not count."""


class Kinship(NamedTuple):
    """Digests of a simplified form, 24 hexadecimal digits each.

    `form` is equal for programs whose simplified forms differ in names and order alone, `family` for those whose
    constants differ as well.
    """

    form: str
    family: str


def kinship(program: Program, max_tier: Tier = "bounded", work: int = WORK) -> Kinship:
    """The digests of a valid program's simplified form.

    A long program is simplified as far as the work allows, so that two of one family may count as two. They are never
    one if they are not.
    """
    form = from_program(program)
    rewritings = reduce(form, max_tier, MAX_TOTAL_WORK - work)
    form = rewritings[-1].after if rewritings else form
    return Kinship(_digest(form, True), _digest(form, False))


def _digest(form: Form, constants: bool) -> str:
    """A digest of the update and the next values of all states, which are known by how they are computed alone."""
    state_keys = {present: state.shape.encode() for state, present in zip(form.states, form.present, strict=True)}
    for _ in range(len(form.states) + 1):
        keys = _keys(form, state_keys, constants)
        state_keys = {present: keys[node] for present, node in zip(form.present, form.following, strict=True)}
    return _hash([_keys(form, state_keys, constants)[form.update], *sorted(state_keys.values())]).hex()


def _keys(form: Form, state_keys: dict[int, bytes], constants: bool) -> list[bytes]:
    """A key of each node, from those of its arguments; those of the present states are given."""
    keys: list[bytes] = []
    for i, node in enumerate(form.nodes):
        parts = [keys[arg] for arg in node.args]
        if i in state_keys:
            keys.append(_hash([b"state", state_keys[i]]))
        elif node.literal is not None:
            keys.append(repr(node.literal).encode() if constants else _CONSTANT)
        else:
            if len(parts) > 1 and PRIMITIVES[node.function].commutative:
                parts.sort()
            if node.function == "interp" and not constants and parts[2] == _CONSTANT:
                # interp(x, y, 0.9) is interp(y, x, 0.1), and which is shorter depends on the other constants.
                parts[:2] = sorted(parts[:2])
            keys.append(_hash([node.function.encode(), *parts]))
    return keys


def _hash(parts: list[bytes]) -> bytes:
    return blake2b(b"\0".join(parts), digest_size=12).digest()
