"""Source of the helper functions that exported code calls and therefore contains."""

_WIDE = """
_WIDE = (torch.float32, torch.float64)
"""

_WIDEN = '''
def _widen(x: torch.Tensor) -> torch.Tensor:
    """Half precision is computed in float32; everything else stays as it is."""
    if x.dtype in _WIDE:
        return x
    return x.to(torch.promote_types(x.dtype, torch.float32))
'''

_ZEROS = '''
def _zeros(p: torch.Tensor, shape: tuple[int, ...] | None = None) -> torch.Tensor:
    """The start of a state; that of half-precision parameters is kept in float32."""
    dtype = torch.promote_types(p.dtype, torch.float32)
    if shape is None:
        return torch.zeros_like(p, dtype=dtype, memory_format=torch.preserve_format)
    return torch.zeros(shape, dtype=dtype.to_real(), device=p.device)
'''

_LEFT_SHAPE = '''
def _left_shape(p: torch.Tensor) -> tuple[int, ...]:
    """The shape of the products of rows, rows by rows; below rank 2, that of `p`."""
    return (p.shape[0], p.shape[0]) if p.ndim > 1 else p.shape
'''

_RIGHT_SHAPE = '''
def _right_shape(p: torch.Tensor) -> tuple[int, ...]:
    """The shape of the products of columns, columns by columns; below rank 2, that of `p`."""
    return (p.shape[1:].numel(), *p.shape[1:]) if p.ndim > 1 else p.shape
'''

_SCALAR = '''
def _scalar(params: list[torch.Tensor]) -> torch.Tensor:
    """The start of a state that a parameter group has as a whole."""
    like = params[0] if params else torch.zeros(())
    dtype = torch.promote_types(like.dtype, torch.float32).to_real()
    return torch.zeros((), dtype=dtype, device=like.device)
'''

_COUNT = '''
def _count(steps: list[torch.Tensor], capturable: bool) -> list[Any]:
    """Count a step: numbers, or tensors where the host must not wait for the device."""
    if torch.compiler.is_compiling() or not steps[0].is_cpu:
        torch._foreach_add_(steps, 1)
    else:
        torch._foreach_add_(steps, torch.tensor(1.0), alpha=1.0)
    if torch.compiler.is_compiling() or capturable:
        return steps
    return [step.item() for step in steps]
'''

_UNCAST = '''
class _Uncast:
    """A saved state that the base class passes on without a cast to half precision."""

    def __init__(self, value: torch.Tensor) -> None:
        self.value = value

    def like(self, p: torch.Tensor) -> torch.Tensor:
        """The state in the precision in which a step of `p` is computed."""
        if not (p.is_floating_point() and self.value.is_floating_point()):
            return self.value.to(p.device)
        return self.value.to(p.device, torch.promote_types(p.dtype, torch.float32))
'''

_WITHOUT_CAST = '''
def _without_cast(
    optimizer: torch.optim.Optimizer, state_dict: dict[str, Any]
) -> dict[str, Any]:
    """The state dict with its tensors, except step counts, wrapped."""
    state = {
        key: {
            name: value
            if name == "step" or not isinstance(value, torch.Tensor)
            else _Uncast(value)
            for name, value in own.items()
        }
        for key, own in state_dict["state"].items()
    }
    return {**state_dict, "state": state}
'''

_ONCE = '''
def _once(x: Any) -> Any:
    """Numbers that the compiler shall compute once, not again for every element."""
    if isinstance(x, list):
        return [_once(value) for value in x]
    once = torch.compiler.is_compiling() and isinstance(x, torch.Tensor)
    return x.as_strided((), ()) if once else x
'''

_ADD_ = '''
def _add_(x: torch.Tensor, y: torch.Tensor, value: Any) -> None:
    """Add `value * y` to x; the value may be on the device."""
    if isinstance(value, torch.Tensor):
        x.add_(y * _once(value))
    else:
        x.add_(y, alpha=value)
'''

_ADDCMUL_ = '''
def _addcmul_(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, value: Any) -> None:
    """Add `value * y * z` to x; the value may be on the device."""
    if isinstance(value, torch.Tensor):
        x.add_((y * z).mul_(_once(value)))
    else:
        x.addcmul_(y, z, value=value)
'''

_ADDCDIV_ = '''
def _addcdiv_(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, value: Any) -> None:
    """Add `value * y / z` to x; the value may be on the device."""
    if isinstance(value, torch.Tensor):
        x.add_((y / z).mul_(_once(value)))
    else:
        x.addcdiv_(y, z, value=value)
'''

_FOREACH_ADD_ = '''
def _foreach_add_(xs: list[torch.Tensor], ys: list[torch.Tensor], value: Any) -> None:
    """Add `value * y` to each x; the value may be a list, or on the device."""
    if isinstance(value, (list, torch.Tensor)):
        torch._foreach_add_(xs, torch._foreach_mul(ys, _once(value)))
    else:
        torch._foreach_add_(xs, ys, alpha=value)
'''

_FOREACH_ADDCMUL_ = '''
def _foreach_addcmul_(
    xs: list[torch.Tensor], ys: list[torch.Tensor], zs: list[torch.Tensor], value: Any
) -> None:
    """Add `value * y * z` to each x; the value may be a list, or on the device."""
    first = value[0] if isinstance(value, list) else value
    if isinstance(first, torch.Tensor):
        products = torch._foreach_mul(ys, zs)
        torch._foreach_mul_(products, _once(value))
        torch._foreach_add_(xs, products)
    else:
        torch._foreach_addcmul_(xs, ys, zs, value)
'''

_FOREACH_ADDCDIV_ = '''
def _foreach_addcdiv_(
    xs: list[torch.Tensor], ys: list[torch.Tensor], zs: list[torch.Tensor], value: Any
) -> None:
    """Add `value * y / z` to each x; the value may be a list, or on the device."""
    first = value[0] if isinstance(value, list) else value
    if isinstance(first, torch.Tensor):
        quotients = torch._foreach_div(ys, zs)
        torch._foreach_mul_(quotients, _once(value))
        torch._foreach_add_(xs, quotients)
    else:
        torch._foreach_addcdiv_(xs, ys, zs, value)
'''

_MAX = '''
def _max(x: Any, y: Any) -> Any:
    """The larger of two numbers; they may be on the device."""
    if isinstance(x, torch.Tensor):
        return torch.maximum(x, torch.as_tensor(y, dtype=x.dtype, device=x.device))
    return _max(y, x) if isinstance(y, torch.Tensor) else max(x, y)
'''

_MIN = '''
def _min(x: Any, y: Any) -> Any:
    """The smaller of two numbers; they may be on the device."""
    if isinstance(x, torch.Tensor):
        return torch.minimum(x, torch.as_tensor(y, dtype=x.dtype, device=x.device))
    return _min(y, x) if isinstance(y, torch.Tensor) else min(x, y)
'''

_NUMBER = '''
def _number(value: Any, like: torch.Tensor) -> torch.Tensor:
    """A number in the precision of `like`; no step waits for the device to read it."""
    return torch.as_tensor(value, dtype=torch.promote_types(like.dtype, torch.float32))
'''

_SIZE = '''
def _size(value: int, like: torch.Tensor) -> torch.Tensor:
    """A number of the shape of `like`, in its precision and on its device."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    return torch.full((), value, dtype=dtype, device=like.device)
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

_UNIT_MATRIX = '''
def _unit_matrix(a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A batch of one matrix over its Frobenius norm, the norm, and a unit matrix."""
    largest = torch.amax(torch.abs(a)) + 1e-30
    a = a / largest
    size = torch.sqrt(torch.sum(torch.square(a).flatten())) + 1e-12
    identity = torch.eye(a.shape[-1], dtype=a.dtype, device=a.device)[None]
    return a / size, largest * size, identity
'''

_INVERSE_ROOT = '''
def _inverse_root(x: torch.Tensor) -> torch.Tensor:
    """A symmetric matrix to the power -1/2, by Newton-Schulz steps; below rank 2, elementwise.

    A millionth of the matrix's norm is added to its diagonal.
    """
    if x.ndim < 2:
        return 1.0 / (torch.sqrt(torch.abs(x)) + 1e-8)
    # Products in less than single precision would not converge.
    rough = x.is_cuda and torch.get_float32_matmul_precision() != "highest"
    scaled, size, identity = _unit_matrix(_matrix(x.double() if rough else x))
    root, inverse = scaled + 1e-6 * identity, identity
    for i in range(9):
        p, q, r = (3.4445, -4.7750, 2.0315) if i < 5 else (1.875, -1.25, 0.375)
        y = inverse @ root
        step = p * identity + (q * identity + r * y) @ y
        root, inverse = root @ step, step @ inverse
    return (inverse / torch.sqrt(size)).reshape(x.shape).to(x.dtype)
'''

_EIGENBASIS = '''
def _eigenbasis(x: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """The orthogonal factor of `x q`, closer to eigenvectors of `x` than `q`; below rank 2, ones.

    A millionth of the norm of `x` is added to its diagonal. Zeros stand for unit vectors.
    """
    if x.ndim < 2:
        return torch.ones_like(q)
    scaled, _, identity = _unit_matrix(_matrix(x))
    at_first = 1.0 - torch.sign(torch.sum(torch.abs(q).flatten()))
    start = _matrix(q) + at_first * identity
    factor, rest = torch.linalg.qr((scaled + 1e-6 * identity) @ start)
    diagonal = torch.diagonal(rest, dim1=-2, dim2=-1)[:, None]
    return torch.where(diagonal < 0, -factor, factor).reshape(q.shape)
'''

_ROTATE_BACK = '''
def _rotate_back(x: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """The product of `x` and the transposed square matrix `q`; below rank 2, of elements."""
    if x.ndim < 2:
        return x * q
    return (_matrix(x) @ _matrix(q).mT).reshape(x.shape)
'''

HELPERS = {
    "_WIDE": _WIDE,
    "_widen": _WIDEN,
    "_zeros": _ZEROS,
    "_left_shape": _LEFT_SHAPE,
    "_right_shape": _RIGHT_SHAPE,
    "_scalar": _SCALAR,
    "_count": _COUNT,
    "_Uncast": _UNCAST,
    "_without_cast": _WITHOUT_CAST,
    "_max": _MAX,
    "_min": _MIN,
    "_once": _ONCE,
    "_add_": _ADD_,
    "_addcmul_": _ADDCMUL_,
    "_addcdiv_": _ADDCDIV_,
    "_foreach_add_": _FOREACH_ADD_,
    "_foreach_addcmul_": _FOREACH_ADDCMUL_,
    "_foreach_addcdiv_": _FOREACH_ADDCDIV_,
    "_number": _NUMBER,
    "_size": _SIZE,
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
    "_unit_matrix": _UNIT_MATRIX,
    "_inverse_root": _INVERSE_ROOT,
    "_eigenbasis": _EIGENBASIS,
    "_rotate_back": _ROTATE_BACK,
}
"""Source of every helper by name; a helper comes after the helpers that it calls."""
