"""Source of the helper functions that an exported optax file calls and therefore contains."""

_WIDEN = '''
def _widen(x: jax.Array) -> jax.Array:
    """Half precision is computed in float32; everything else stays as it is."""
    if jnp.iscomplexobj(x):
        raise TypeError(
            "expected real numbers, got complex ones; "
            "wrap the optimizer in optax.contrib.split_real_and_imaginary"
        )
    return jnp.asarray(x, jnp.promote_types(jnp.result_type(x), jnp.float32))
'''

_IS_NONE = '''
def _is_none(x: Any) -> bool:
    """True for the place of a parameter that has no gradient."""
    return x is None
'''

_MAP = '''
def _map(
    rule: Any, updates: Any, inputs: tuple[Any, ...], states: tuple[Any, ...]
) -> Any:
    """Applies a rule to each parameter, and returns the updates and the next states.

    A parameter without a gradient gets no update and keeps its states.
    """
    grads, structure = jax.tree.flatten(updates, is_leaf=_is_none)
    columns = [structure.flatten_up_to(tree) for tree in (*inputs, *states)]
    rows = []
    for grad, *row in zip(grads, *columns):
        old = row[len(inputs) :]
        if grad is not None:
            update, *new = rule(*(_widen(x) for x in (grad, *row)))
            grad = jnp.asarray(update, jnp.result_type(grad))
            old = [jnp.asarray(x, like.dtype) for x, like in zip(new, old)]
        rows.append((grad, *old))
    results = zip(*rows) if rows else [()] * (1 + len(states))
    return [structure.unflatten(column) for column in results]
'''

_AT_GRADIENTS = '''
def _at_gradients(updates: Any, tree: Any) -> Any:
    """The values of a tree for the parameters that have a gradient."""
    return jax.tree.map(
        lambda g, x: None if g is None else _widen(x), updates, tree, is_leaf=_is_none
    )
'''

_TO_UPDATES = '''
def _to_updates(tree: Any, updates: Any) -> Any:
    """Minus a tree, in the precision of the gradients: what is added to the parameters."""
    return jax.tree.map(lambda g, x: jnp.asarray(-x, jnp.result_type(g)), updates, tree)
'''

_NEXT = '''
def _next(new: Any, old: Any) -> Any:
    """The next value of a state; a parameter without a gradient keeps the old one."""
    return jax.tree.map(
        lambda x, y: x if y is None else jnp.asarray(y, x.dtype), old, new
    )
'''

_ZEROS = '''
def _zeros(x: jax.Array, shape: tuple[int, ...] | None = None) -> jax.Array:
    """The start of a state; that of half-precision parameters is kept in float32."""
    return jnp.zeros_like(_widen(x), shape=shape)
'''

_SCALAR = '''
def _scalar(params: optax.Params) -> jax.Array:
    """The start of a state that all parameters have together."""
    return jnp.zeros([], jnp.result_type(jnp.float32, *jax.tree.leaves(params)))
'''

_ROW_SHAPE = '''
def _row_shape(x: jax.Array) -> tuple[int, ...]:
    """The shape of the means over all axes but the first; below rank 2, that of `x`."""
    return jnp.shape(x)[:1] + (1,) * (jnp.ndim(x) - 1)
'''

_COLUMN_SHAPE = '''
def _column_shape(x: jax.Array) -> tuple[int, ...]:
    """The shape of the means over the first axis; below rank 2, that of `x`."""
    return (1, *jnp.shape(x)[1:]) if jnp.ndim(x) > 1 else jnp.shape(x)
'''

_LEFT_SHAPE = '''
def _left_shape(x: jax.Array) -> tuple[int, ...]:
    """The shape of the products of rows, rows by rows; below rank 2, that of `x`."""
    return jnp.shape(x)[:1] * 2 if jnp.ndim(x) > 1 else jnp.shape(x)
'''

_RIGHT_SHAPE = '''
def _right_shape(x: jax.Array) -> tuple[int, ...]:
    """The shape of the products of columns, columns by columns; below rank 2, that of `x`."""
    if jnp.ndim(x) < 2:
        return jnp.shape(x)
    return (_matrix(x).shape[1], *jnp.shape(x)[1:])
'''

_SIGN = '''
def _sign(x: jax.Array) -> jax.Array:
    """-1, 0 or 1; 0 for NaN, as in PyTorch."""
    return jnp.where(jnp.isnan(x), 0.0, jnp.sign(x))
'''

_DOT = '''
def _dot(x: Any, y: Any) -> jax.Array:
    """The sum of products over all parameters."""
    products = jax.tree.map(lambda x, y: jnp.sum(x * y), x, y)
    return sum(jax.tree.leaves(products), jnp.zeros([], jnp.float32))
'''

_GLOBAL_NORM = '''
def _global_norm(x: Any) -> jax.Array:
    """The L2 norm over all parameters."""
    return jnp.sqrt(_dot(x, x))
'''

_COSINE_SIM = '''
def _cosine_sim(x: Any, y: Any) -> jax.Array:
    """The cosine between two trees, taken as one vector each."""
    return _dot(x, y) / (_global_norm(x) * _global_norm(y))
'''

_CLIP = '''
def _clip(tree: Any, max_norm: jax.Array) -> Any:
    """Scales a tree so that its global norm is at most `max_norm`."""
    scale = jnp.minimum(max_norm / _global_norm(tree), 1.0)
    return jax.tree.map(lambda x: x * scale, tree)
'''

_MATRIX = '''
def _matrix(x: jax.Array) -> jax.Array:
    """`x` as a matrix of its first axis by all others."""
    return jnp.reshape(x, (x.shape[0], -1))
'''

_ROWS = '''
def _rows(x: jax.Array) -> float:
    """The rows of `x` as a matrix of its first axis by all others; below rank 2, 1."""
    return float(jnp.shape(x)[0]) if jnp.ndim(x) > 1 else 1.0
'''

_COLUMNS = '''
def _columns(x: jax.Array) -> float:
    """The columns of `x` as a matrix of its first axis by all others; below rank 2, 1."""
    return float(_matrix(x).shape[1]) if jnp.ndim(x) > 1 else 1.0
'''

_ROW_MEAN = '''
def _row_mean(x: jax.Array) -> jax.Array:
    """The mean over all axes but the first, which stay as size 1; below rank 2, `x`."""
    if jnp.ndim(x) < 2:
        return x
    return jnp.mean(x, axis=tuple(range(1, x.ndim)), keepdims=True)
'''

_COLUMN_MEAN = '''
def _column_mean(x: jax.Array) -> jax.Array:
    """The mean over the first axis, which stays as size 1; below rank 2, `x`."""
    return jnp.mean(x, axis=0, keepdims=True) if jnp.ndim(x) > 1 else x
'''

_RANK_ONE = '''
def _rank_one(row: jax.Array, column: jax.Array) -> jax.Array:
    """The matrix whose row and column means these are; below rank 2, `row`."""
    if jnp.ndim(row) < 2:
        return row
    return row * column / jnp.mean(row, axis=0, keepdims=True)
'''

_MATMUL = '''
def _matmul(x: jax.Array, y: jax.Array) -> jax.Array:
    """The product of matrices, in full precision; below rank 2, of elements."""
    if jnp.ndim(x) < 2:
        return x * y
    product = jnp.matmul(_matrix(x), _matrix(y), precision="highest")
    return jnp.reshape(product, x.shape[:1] + y.shape[1:])
'''

_TRANSPOSE = '''
def _transpose(x: jax.Array) -> jax.Array:
    """The transposed matrix; below rank 2, `x`."""
    return _matrix(x).T if jnp.ndim(x) > 1 else x
'''

_ORTHOGONALIZE = '''
def _orthogonalize(x: jax.Array) -> jax.Array:
    """Five Newton-Schulz steps towards a semi-orthogonal matrix; below rank 2, `x`."""
    if jnp.ndim(x) < 2:
        return x
    y = _matrix(x)
    tall = y.shape[0] > y.shape[1]
    y = y.T if tall else y
    y = y / (jnp.linalg.norm(y) + 1e-7)
    for _ in range(5):
        a = _matmul(y, y.T)
        y = 3.4445 * y + _matmul(-4.7750 * a + 2.0315 * _matmul(a, a), y)
    return jnp.reshape(y.T if tall else y, x.shape)
'''

_UNIT_MATRIX = '''
def _unit_matrix(a: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A matrix over its Frobenius norm, the norm, and a unit matrix."""
    largest = jnp.max(jnp.abs(a)) + 1e-30
    a = a / largest
    size = jnp.linalg.norm(a) + 1e-12
    return a / size, largest * size, jnp.eye(a.shape[0], dtype=a.dtype)
'''

_INVERSE_ROOT = '''
def _inverse_root(x: jax.Array) -> jax.Array:
    """A symmetric matrix to the power -1/2, by Newton-Schulz steps; below rank 2, of elements.

    A millionth of the matrix's norm is added to its diagonal.
    """
    if jnp.ndim(x) < 2:
        return 1.0 / (jnp.sqrt(jnp.abs(x)) + 1e-08)
    scaled, size, identity = _unit_matrix(_matrix(x))
    root, inverse = scaled + 1e-6 * identity, identity
    for i in range(9):
        p, q, r = (3.4445, -4.7750, 2.0315) if i < 5 else (1.875, -1.25, 0.375)
        y = _matmul(inverse, root)
        step = p * identity + _matmul(q * identity + r * y, y)
        root, inverse = _matmul(root, step), _matmul(step, inverse)
    return jnp.reshape(inverse / jnp.sqrt(size), x.shape)
'''

_EIGENBASIS = '''
def _eigenbasis(x: jax.Array, q: jax.Array) -> jax.Array:
    """The orthogonal factor of `x q`, closer to eigenvectors of `x` than `q`; below rank 2, ones.

    A millionth of the norm of `x` is added to its diagonal. Zeros stand for unit vectors.
    """
    if jnp.ndim(x) < 2:
        return jnp.ones_like(q)
    scaled, _, identity = _unit_matrix(_matrix(x))
    start = _matrix(q) + (1.0 - jnp.sign(jnp.sum(jnp.abs(q)))) * identity
    factor, rest = jnp.linalg.qr(_matmul(scaled + 1e-6 * identity, start))
    return jnp.reshape(jnp.where(jnp.diag(rest) < 0, -factor, factor), q.shape)
'''

_ROTATE_BACK = '''
def _rotate_back(x: jax.Array, q: jax.Array) -> jax.Array:
    """The product of `x` and the transposed square matrix `q`; below rank 2, of elements."""
    if jnp.ndim(x) < 2:
        return x * q
    return jnp.reshape(_matmul(_matrix(x), _matrix(q).T), x.shape)
'''

HELPERS = {
    "_widen": _WIDEN,
    "_is_none": _IS_NONE,
    "_map": _MAP,
    "_at_gradients": _AT_GRADIENTS,
    "_to_updates": _TO_UPDATES,
    "_next": _NEXT,
    "_zeros": _ZEROS,
    "_scalar": _SCALAR,
    "_row_shape": _ROW_SHAPE,
    "_column_shape": _COLUMN_SHAPE,
    "_left_shape": _LEFT_SHAPE,
    "_sign": _SIGN,
    "_dot": _DOT,
    "_global_norm": _GLOBAL_NORM,
    "_cosine_sim": _COSINE_SIM,
    "_clip": _CLIP,
    "_matrix": _MATRIX,
    "_right_shape": _RIGHT_SHAPE,
    "_rows": _ROWS,
    "_columns": _COLUMNS,
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
