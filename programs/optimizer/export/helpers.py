"""Source of the helper functions that exported code calls and therefore contains."""

import re

_WIDEN = '''
def _widen(x: torch.Tensor) -> torch.Tensor:
    """Half precision is computed in float32; everything else stays as it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
'''

_NUMBER = '''
def _number(value: float, like: torch.Tensor) -> torch.Tensor:
    """A number in the precision of `like`. It stays on the host, so that no step waits for it."""
    return torch.tensor(value, dtype=torch.promote_types(like.dtype, torch.float32))
'''

_INTERP = '''
def _interp(x: torch.Tensor, y: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """From `x` at a = 0 to `y` at a = 1."""
    return (1 - a) * x + a * y
'''

_JOIN = '''
def _join(tree: list[torch.Tensor]) -> torch.Tensor:
    """All elements of a group's tensors in one vector."""
    return torch.cat([x.reshape(-1) for x in tree])
'''

_DOT = '''
def _dot(x: list[torch.Tensor], y: list[torch.Tensor]) -> torch.Tensor:
    """The sum of products over all tensors of a group."""
    return torch.sum(_join(x) * _join(y))
'''

_GLOBAL_NORM = '''
def _global_norm(tree: list[torch.Tensor]) -> torch.Tensor:
    """The L2 norm over all tensors of a group."""
    return torch.sqrt(torch.sum(torch.square(_join(tree))))
'''

_COSINE_SIM = '''
def _cosine_sim(x: list[torch.Tensor], y: list[torch.Tensor]) -> torch.Tensor:
    """The cosine between all tensors of a group, taken as one vector each."""
    return _dot(x, y) / (_global_norm(x) * _global_norm(y))
'''

_CLIP = '''
def _clip(tree: list[torch.Tensor], max_norm: torch.Tensor) -> list[torch.Tensor]:
    """Scale a group's tensors so that their global norm is at most `max_norm`."""
    scale = torch.clamp(max_norm / _global_norm(tree), max=1.0)
    return [x * scale for x in tree]
'''

_GREATER = '''
def _greater(x: torch.Tensor, y: torch.Tensor | float) -> torch.Tensor:
    """1 where x is greater, else 0."""
    return torch.where(x > y, torch.ones_like(x), torch.zeros_like(x))
'''

_MATRIX = '''
def _matrix(x: torch.Tensor) -> torch.Tensor:
    """`x` as a matrix of its first axis by all others, in a batch of one."""
    return x.reshape(1, x.shape[0], -1)
'''

_ROW_MEAN = '''
def _row_mean(x: torch.Tensor) -> torch.Tensor:
    """The mean over all axes but the first, which stay as size 1; below rank 2, `x` itself."""
    if x.ndim < 2:
        return x
    return _matrix(x).mean(-1).reshape(x.shape[:1] + (1,) * (x.ndim - 1))
'''

_COLUMN_MEAN = '''
def _column_mean(x: torch.Tensor) -> torch.Tensor:
    """The mean over the first axis, which stays as size 1; below rank 2, `x` itself."""
    return x.mean(0, keepdim=True) if x.ndim > 1 else x
'''

_RANK_ONE = '''
def _rank_one(row: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
    """The matrix whose row and column means these are, if it has rank one; below rank 2, `row`."""
    return row * column / row.mean(0, keepdim=True) if row.ndim > 1 else row
'''

_MATMUL = '''
def _matmul(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The matrix product, over the first axis of `y`; below rank 2, the elementwise one."""
    if x.ndim < 2:
        return x * y
    return torch.matmul(_matrix(x), _matrix(y)).reshape(x.shape[:1] + y.shape[1:])
'''

_TRANSPOSE = '''
def _transpose(x: torch.Tensor) -> torch.Tensor:
    """The transposed matrix; below rank 2, `x` itself."""
    return _matrix(x)[0].T if x.ndim > 1 else x
'''

_ORTHOGONALIZE = '''
def _orthogonalize(x: torch.Tensor) -> torch.Tensor:
    """Five Newton-Schulz steps towards the nearest semi-orthogonal matrix; below rank 2, `x`."""
    if x.ndim < 2:
        return x
    y = _matrix(x)
    tall = y.shape[1] > y.shape[2]
    y = y.mT if tall else y
    y = y / (torch.sqrt(torch.sum(torch.square(y).flatten())) + 1e-7)
    for _ in range(5):
        a = y @ y.mT
        y = 3.4445 * y + (-4.7750 * a + 2.0315 * (a @ a)) @ y
    y = y.mT if tall else y
    return y.reshape(x.shape)
'''

HELPERS = {
    "_widen": _WIDEN,
    "_number": _NUMBER,
    "_interp": _INTERP,
    "_join": _JOIN,
    "_dot": _DOT,
    "_global_norm": _GLOBAL_NORM,
    "_cosine_sim": _COSINE_SIM,
    "_clip": _CLIP,
    "_greater": _GREATER,
    "_matrix": _MATRIX,
    "_row_mean": _ROW_MEAN,
    "_column_mean": _COLUMN_MEAN,
    "_rank_one": _RANK_ONE,
    "_matmul": _MATMUL,
    "_transpose": _TRANSPOSE,
    "_orthogonalize": _ORTHOGONALIZE,
}
"""Source of every helper by name; a helper comes after the helpers that it calls."""


def helpers_for(code: str) -> str:
    """Source of every helper that `code` calls, directly or through another helper."""
    needed: set[str] = set()
    unread = [code]
    while unread:
        called = set(re.findall(r"(?<![\w.])_[a-z_]+(?=\()", unread.pop())) & HELPERS.keys() - needed
        needed |= called
        unread += [HELPERS[name].split('"""')[-1] for name in called]
    return "\n\n".join(HELPERS[name].strip("\n") + "\n" for name in HELPERS if name in needed)
