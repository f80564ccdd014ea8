"""Every program of the library against its formula in plain torch, and against torch.optim where it has the method."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from germline.programs.optimizer import library, parse, trace, write
from germline.programs.optimizer.interpret import Interpreter

SHAPES = ((), (5,), (4, 3), (3, 6), (4, 3, 2, 2))
"""A number, a vector, a tall and a wide matrix, and a convolution kernel."""
STEPS = 50

Tree = list[Tensor]
Oracle = Callable[[dict[str, Any], Tree, Tree, float, int], Tree]
"""(state, w, g, schedule, t) -> what to subtract from w. The state is an empty dict at first and changed in place."""


def problem(shapes: tuple[tuple[int, ...], ...] = SHAPES, dtype: torch.dtype = torch.float64) -> tuple[Tree, Any]:
    """Weights and their gradient: a stiff quadratic with noise, now and then a spike, and some entries without any."""
    rng = torch.Generator().manual_seed(7)
    draw = lambda shape: torch.randn(shape, generator=rng, dtype=torch.float64)  # noqa: E731
    w = [draw(shape) for shape in shapes]
    goal = [draw(shape) for shape in shapes]
    curvature = [10 ** draw(shape) for shape in shapes]
    noise = [[0.3 * draw(shape) for shape in shapes] for _ in range(STEPS)]

    def gradient(at: Tree, t: int) -> Tree:
        spike = 20.0 if t in (11, 37) else 1.0
        return [
            (spike * (c * (x.detach().double() - y) + n) * (n.abs() > 0.01)).to(dtype)
            for c, x, y, n in zip(curvature, at, goal, noise[t - 1], strict=True)
        ]

    return [x.to(dtype) for x in w], gradient


def schedule(t: int) -> float:
    return 0.55 + 0.45 * math.cos(t / 9)


def trajectory(update: Callable[[Tree, Tree, float, int], Tree]) -> Iterator[Tree]:
    w, gradient = problem()
    for t in range(1, STEPS + 1):
        w = [x - u for x, u in zip(w, update(w, gradient(w, t), schedule(t), t), strict=True)]
        yield w


def averages(state: dict[str, Any], g: Tree, beta1: float = 0.9, beta2: float = 0.999) -> tuple[Tree, Tree]:
    zero = [torch.zeros_like(x) for x in g]
    state["m"] = [beta1 * m + (1 - beta1) * x for m, x in zip(state.get("m", zero), g, strict=True)]
    state["v"] = [beta2 * v + (1 - beta2) * x * x for v, x in zip(state.get("v", zero), g, strict=True)]
    return state["m"], state["v"]


def corrected(state: dict[str, Any], g: Tree, t: int) -> tuple[Tree, Tree]:
    m, v = averages(state, g)
    return [x / (1 - 0.9**t) for x in m], [x / (1 - 0.999**t) for x in v]


def before(state: dict[str, Any], name: str, like: Tree) -> Tree:
    return state.get(name) or [torch.zeros_like(x) for x in like]


def adam(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    return [1e-3 * s * m / (v.sqrt() + 1e-8) for m, v in zip(*corrected(state, g, t), strict=True)]


def adamw(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    return [u + 1e-3 * s * 0.01 * x for u, x in zip(adam(state, w, g, s, t), w, strict=True)]


def adamw_plain(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    m, v = averages(state, g)
    return [1e-3 * s * (a / (b.sqrt() + 1e-8) + 0.01 * x) for a, b, x in zip(m, v, w, strict=True)]


def sgd_momentum(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    state["m"] = [0.9 * m + x for m, x in zip(before(state, "m", g), g, strict=True)]
    return [0.01 * s * m for m in state["m"]]


def rmsprop(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    state["v"] = [0.99 * v + 0.01 * x * x for v, x in zip(before(state, "v", g), g, strict=True)]
    return [0.01 * s * x / (v.sqrt() + 1e-8) for v, x in zip(state["v"], g, strict=True)]


def adagrad(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    state["s"] = [a + x * x for a, x in zip(before(state, "s", g), g, strict=True)]
    return [0.01 * s * x / (a.sqrt() + 1e-10) for a, x in zip(state["s"], g, strict=True)]


def amsgrad(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    m, v = averages(state, g)
    state["top"] = [torch.maximum(a, b) for a, b in zip(before(state, "top", g), v, strict=True)]
    return [1e-3 * s * a / (b.sqrt() + 1e-8) for a, b in zip(m, state["top"], strict=True)]


def adabelief(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    state["m"] = [0.9 * m + 0.1 * x for m, x in zip(before(state, "m", g), g, strict=True)]
    old = before(state, "s", g)
    state["s"] = [0.999 * a + 0.001 * (x - m) ** 2 + 1e-16 for a, x, m in zip(old, g, state["m"], strict=True)]
    m_hat = [m / (1 - 0.9**t) for m in state["m"]]
    s_hat = [a / (1 - 0.999**t) for a in state["s"]]
    return [1e-3 * s * a / (b.sqrt() + 1e-16) for a, b in zip(m_hat, s_hat, strict=True)]


def diffgrad(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    friction = [torch.sigmoid((old - x).abs()) for old, x in zip(before(state, "g", g), g, strict=True)]
    state["g"] = g
    return [f * u for f, u in zip(friction, adam(state, w, g, s, t), strict=True)]


def exadam(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    updates = []
    for m, v, x in zip(*averages(state, g), g, strict=True):
        d1 = 1 + 0.999**t * v / (v + 1e-8)
        d2 = 1 + 0.9**t * m**2 / (m**2 + 1e-8)
        momentum = m / (1 - 0.9**t) * d1
        direct = x / (1 - 0.9**t) * d1
        updates.append(1e-3 * s * (momentum + direct) / ((v / (1 - 0.999**t) * d2).sqrt() + 1e-8))
    return updates


def lamb(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    updates = []
    for m, v, x in zip(*corrected(state, g, t), w, strict=True):
        r = m / (v.sqrt() + 1e-6) + 0.01 * x
        updates.append(1e-3 * s * torch.linalg.vector_norm(x) / torch.linalg.vector_norm(r) * r)
    return updates


def lars(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    new = []
    for m, x, d in zip(before(state, "m", g), w, g, strict=True):
        length = torch.linalg.vector_norm(x)
        local = 1e-3 * length / (torch.linalg.vector_norm(d) + 5e-4 * length + 1e-8)
        new.append(0.9 * m + s * local * (d + 5e-4 * x))
    state["m"] = new
    return new


def adagrad_norm(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    state["b2"] = state.get("b2", 1e-2**2) + sum(float((x * x).sum()) for x in g)
    return [s * x / math.sqrt(state["b2"]) for x in g]


def lion(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    old = before(state, "m", g)
    state["m"] = [0.99 * m + 0.01 * x for m, x in zip(old, g, strict=True)]
    return [1e-4 * s * torch.sign(0.9 * m + 0.1 * x) for m, x in zip(old, g, strict=True)]


def lion_raw(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    length = math.sqrt(sum(float((x * x).sum()) for x in g))
    clipped = [torch.arcsin(x * min(1.0, s / length)) for x in g]
    m = [(1 - 0.899) * x + 0.899 * v for x, v in zip(clipped, before(state, "v", g), strict=True)]
    state["v"] = [(1 - 1.109) * x + 1.109 * a for x, a in zip(clipped, m, strict=True)]
    return [2e-4 * s * (a / (a.abs() + 1e-8) + 0.4602 * x) for a, x in zip(m, w, strict=True)]


def hypergradient(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    agreement = sum(float((x * old).sum()) for x, old in zip(g, before(state, "g", g), strict=True))
    state["alpha"] = min(max(state.get("alpha", 1.0) + agreement, 0.2), 5.0)
    state["g"] = g
    return [0.01 * s * state["alpha"] * x for x in g]


def stable_spam(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int, period: int = 1000) -> Tree:
    if t == 1:
        state |= {"T": [0.0] * len(g), "mu": [0.0] * len(g), "nu": [0.0] * len(g)}
    cleaned = []
    for k, x in enumerate(g):
        top = float(x.abs().max())
        state["T"][k] = 0.999 * state["T"][k] + 0.001 * top
        limit = state["T"][k] / (1 - 0.999**t)
        x = torch.where(x.abs() > limit, x / top * limit, x)
        n = math.sqrt(float((x * x).sum()))
        state["mu"][k] = 0.7 * state["mu"][k] + 0.3 * n
        state["nu"][k] = 0.9 * state["nu"][k] + 0.1 * n * n
        length = state["mu"][k] / (1 - 0.7**t) / (math.sqrt(state["nu"][k] / (1 - 0.9**t)) + 1e-8)
        cleaned.append(x / n * length if n > 0 else x)
    if t % period == 0:
        state["adam"] = {}
        state["last"] = t - 1
    return adam(state.setdefault("adam", {}), w, cleaned, s, t - state.get("last", 0))


def adafactor(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    beta2 = 1 - t**-0.8
    updates = []
    for k, (x, d) in enumerate(zip(w, g, strict=True)):
        square = d * d + 1e-30
        if d.ndim < 2:
            v = state[k] = beta2 * state.get(k, 0.0) + (1 - beta2) * square
        else:
            matrix = square.reshape(d.shape[0], -1)
            r, c = state.get(k, (0.0, 0.0))
            r = beta2 * r + (1 - beta2) * matrix.mean(1)
            c = beta2 * c + (1 - beta2) * matrix.mean(0)
            state[k] = r, c
            v = (torch.outer(r, c) / r.mean()).reshape(d.shape)
        u = d / v.sqrt()
        u = u / max(1.0, float(u.square().mean().sqrt()))
        rho = min(1e-2, 1 / math.sqrt(t))
        updates.append(s * max(1e-3, float(x.square().mean().sqrt())) * rho * u)
    return updates


def orthogonal(u: Tensor) -> Tensor:
    x = u.reshape(u.shape[0], -1)
    x = x / (torch.linalg.matrix_norm(x) + 1e-7)
    flip = x.shape[0] > x.shape[1]
    x = x.T if flip else x
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.T if flip else x).reshape(u.shape)


def muon(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    updates = adam(state.setdefault("adam", {}), w, g, s, t)
    state["m"] = [0.95 * m + x for m, x in zip(before(state, "m", g), g, strict=True)]
    for k, (m, x) in enumerate(zip(state["m"], g, strict=True)):
        if x.ndim > 1:
            stretch = math.sqrt(max(1.0, x.shape[0] / x[0].numel()))
            updates[k] = 0.02 * s * stretch * orthogonal(x + 0.95 * m)
    return updates


def power_of(a: Tensor, exponent: float) -> Tensor:
    """A matrix without negative eigenvalues to a power, after a millionth of its norm is added to its diagonal."""
    values, vectors = torch.linalg.eigh(a + 1e-6 * torch.linalg.norm(a) * torch.eye(len(a), dtype=a.dtype))
    return vectors @ torch.diag(values**exponent) @ vectors.T


def shampoo(
    state: dict[str, Any], w: Tree, g: Tree, s: float, t: int, white: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> Tree:
    """Shampoo; `white` is the direction of the update of a matrix from its momentum and both products."""
    for k, x in enumerate(g):
        if x.ndim > 1:
            a = x.flatten(1)
            for side, product in (("l", a @ a.T), ("r", a.T @ a)):
                state[f"{side}{k}"] = 0.99 * state.get(f"{side}{k}", 0.0) + 0.01 * product
    updates = []
    for k, (u, m, x) in enumerate(zip(adam(state, w, g, 1.0, t), state["m"], w, strict=True)):
        u = u / 0.001
        if u.ndim > 1:
            d = white(m.flatten(1), state[f"l{k}"], state[f"r{k}"]).reshape(u.shape)
            u = d * (u.norm() / (d.norm() + 1e-8))
        updates.append(0.001 * s * (u + 0.01 * x))
    return updates


def two_sided(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    """Shampoo with the inverse fourth roots of both products, each a root times its inverse root."""

    def white(m: Tensor, left: Tensor, right: Tensor) -> Tensor:
        fourth = [root @ power_of(root, -0.5) for root in (power_of(left, -0.5), power_of(right, -0.5))]
        return fourth[0] @ m @ fourth[1]

    return shampoo(state, w, g, s, t, white)


def one_sided(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    return shampoo(state, w, g, s, t, lambda m, left, right: power_of(left, -0.5) @ m)


def soap(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    def basis(name: str, x: Tensor) -> Tensor:
        """The next basis of a product `x`; the last one is in the state."""
        damped = x / torch.linalg.norm(x) + 1e-6 * torch.eye(len(x), dtype=x.dtype)
        factor, rest = torch.linalg.qr(damped @ state.get(name, torch.eye(len(x), dtype=x.dtype)))
        state[name] = factor * torch.sign(torch.diag(rest))
        return state[name]

    updates = []
    for k, x in enumerate(g):
        a = x.flatten(1) if x.ndim > 1 else x.reshape(-1, 1)
        state[f"m{k}"] = m = 0.95 * state.get(f"m{k}", 0.0) + 0.05 * a
        left = right = None
        if x.ndim > 1:
            state[f"l{k}"] = 0.95 * state.get(f"l{k}", 0.0) + 0.05 * a @ a.T
            state[f"r{k}"] = 0.95 * state.get(f"r{k}", 0.0) + 0.05 * a.T @ a
            left, right = basis(f"ql{k}", state[f"l{k}"]), basis(f"qr{k}", state[f"r{k}"])
            a, m = left.T @ a @ right, left.T @ m @ right
        state[f"v{k}"] = 0.95 * state.get(f"v{k}", 0.0) + 0.05 * a**2
        v_hat = state[f"v{k}"] / (1 - 0.95**t)
        u = m / (1 - 0.95**t) / (torch.maximum(v_hat.sqrt(), 1e-3 * v_hat.mean().sqrt()) + 1e-8)
        u = u if left is None else left @ u @ right.T  # type: ignore[union-attr]
        updates.append(3e-3 * s * (u.reshape(x.shape) + 0.01 * w[k]))
    return updates


def cautious(u: Tensor, g: Tensor) -> Tensor:
    """An update without the elements that disagree with the gradient. The paper's code bounds the share by 1e-3 from
    below, which none of these tensors reaches."""
    agrees = (u * g > 0).to(u.dtype)
    return u * agrees / (agrees.mean() + 1e-8)


def direction(m: Tensor, v: Tensor, t: int, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Tensor:
    """The step of Adam from its two averages, before the learning rate."""
    return m / (1 - beta1**t) / ((v / (1 - beta2**t)).sqrt() + eps)


def c_adamw(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    averaged = zip(*averages(state, g), w, g, strict=True)
    return [1e-3 * s * (cautious(direction(m, v, t), d) + 0.01 * x) for m, v, x, d in averaged]


def c_lion(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    return [cautious(u, x) for u, x in zip(lion(state, w, g, s, t), g, strict=True)]


def grams(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    averaged = zip(*averages(state, g), w, g, strict=True)
    return [1e-3 * s * (d.sign() * direction(m, v, t).abs() + 0.01 * x) for m, v, x, d in averaged]


def adopt(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    if t == 1:
        state["m"], state["v"] = [torch.zeros_like(x) for x in g], [x * x for x in g]
        return state["m"]
    limit = (t - 1) ** 0.25
    normalized = [(x / v.sqrt().clamp(min=1e-6)).clamp(-limit, limit) for x, v in zip(g, state["v"], strict=True)]
    state["m"] = [0.9 * m + 0.1 * u for m, u in zip(state["m"], normalized, strict=True)]
    state["v"] = [0.9999 * v + 0.0001 * x * x for v, x in zip(state["v"], g, strict=True)]
    return [1e-3 * s * m for m in state["m"]]


def nadamw(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    averaged = zip(*averages(state, g), w, g, strict=True)
    return [1e-3 * s * (direction(0.9 * m + 0.1 * d, v, t) + 0.01 * x) for m, v, x, d in averaged]


def ademamix(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    state["slow"] = [0.9999 * m + 0.0001 * x for m, x in zip(before(state, "slow", g), g, strict=True)]
    averaged = zip(*averages(state, g), state["slow"], w, strict=True)
    return [
        1e-3 * s * ((m / (1 - 0.9**t) + 5 * slow) / ((v / (1 - 0.999**t)).sqrt() + 1e-8) + 0.01 * x)
        for m, v, slow, x in averaged
    ]


def mars(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    corrected = []
    for x, last in zip(g, before(state, "g", g), strict=True):
        c = x + 0.025 * 0.95 / (1 - 0.95) * (x - last)
        length = torch.linalg.vector_norm(c)
        corrected.append(c / length if length > 1 else c)
    state["g"] = g
    averaged = zip(*averages(state, corrected, 0.95, 0.99), w, strict=True)
    return [3e-3 * s * (direction(m, v, t, 0.95, 0.99) + 0.01 * x) for m, v, x in averaged]


def normuon(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    updates = []
    for m, v, x, d in zip(*averages(state, g, 0.95, 0.95), w, g, strict=True):
        u = direction(m, v, t, 0.95, 0.95)
        if d.ndim > 1:
            o = orthogonal(m).reshape(d.shape[0], -1)
            rows = state.setdefault("rows", {})
            rows[d.shape] = 0.95 * rows.get(d.shape, 0.0) + 0.05 * o.square().mean(1, keepdim=True)
            u = o / (rows[d.shape].sqrt() + 1e-8)
            u = (0.2 * math.sqrt(u.numel()) / torch.linalg.matrix_norm(u) * u).reshape(d.shape)
        updates.append(1e-3 * s * (u + 0.01 * x))
    return updates


def schedule_free(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    """With the mean of all z, z_1 to z_{t + 1}, as x."""
    every = state.setdefault("z", [w])
    every.append([z - 0.1 * s * x for z, x in zip(every[-1], g, strict=True)])
    mean = [torch.stack(leaves).mean(0) for leaves in zip(*every, strict=True)]
    return [old - (0.1 * z + 0.9 * x) for old, z, x in zip(w, every[-1], mean, strict=True)]


def prodigy(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    if t == 1:
        state |= {"w": [x.clone() for x in w], "d": 1e-6, "r": 0.0, "s": [torch.zeros_like(x) for x in w]}
    d, beta3 = state["d"], math.sqrt(0.999)
    m, v = averages(state, [d * x for x in g])
    gain = sum(float((x * (start - at)).sum()) for x, start, at in zip(g, state["w"], w, strict=True))
    state["r"] = beta3 * state["r"] + (1 - beta3) * s * d**2 * gain
    state["s"] = [beta3 * a + (1 - beta3) * s * d**2 * x for a, x in zip(state["s"], g, strict=True)]
    size = sum(float(a.abs().sum()) for a in state["s"])
    state["d"] = max(d, state["r"] / size)
    return [s * d * a / (b.sqrt() + 1e-8 * d) for a, b in zip(m, v, strict=True)]


def muonh(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    updates = []
    for k, (m, v, x) in enumerate(zip(*averages(state, g, 0.95, 0.999), w, strict=True)):
        updates.append(1e-3 * s * direction(m, v, t, 0.95))
        if x.ndim > 1:
            radius = state.setdefault(k, torch.linalg.vector_norm(x))
            o = orthogonal(m)
            target = x - 0.02 * s * radius * o / (torch.linalg.vector_norm(o) + 1e-8)
            updates[k] = x - radius * target / torch.linalg.vector_norm(target)
    return updates


def cwd_adamw(state: dict[str, Any], w: Tree, g: Tree, s: float, t: int) -> Tree:
    steps = [direction(m, v, t) for m, v in zip(*averages(state, g), strict=True)]
    return [1e-3 * s * (u + 0.01 * torch.where(u * x >= 0, x, 0.0)) for u, x in zip(steps, w, strict=True)]


ORACLES: dict[str, Oracle] = {
    "adabelief": adabelief,
    "adafactor": adafactor,
    "adagrad": adagrad,
    "adagrad_norm": adagrad_norm,
    "adam": adam,
    "adamw": adamw,
    "adamw_plain": adamw_plain,
    "ademamix": ademamix,
    "adopt": adopt,
    "amsgrad": amsgrad,
    "c_adamw": c_adamw,
    "c_lion": c_lion,
    "cwd_adamw": cwd_adamw,
    "diffgrad": diffgrad,
    "exadam": exadam,
    "grams": grams,
    "hypergradient": hypergradient,
    "lamb": lamb,
    "lars": lars,
    "lion": lion,
    "lion_raw": lion_raw,
    "mars": mars,
    "muon": muon,
    "muonh": muonh,
    "nadamw": nadamw,
    "normuon": normuon,
    "prodigy": prodigy,
    "rmsprop": rmsprop,
    "shampoo": two_sided,
    "shampoo_left": one_sided,
    "soap": soap,
    "schedule_free": schedule_free,
    "sgd_momentum": sgd_momentum,
    "stable_spam": stable_spam,
}


def same_trajectory(text: str, oracle: Callable[[dict[str, Any], Tree, Tree, float, int], Tree]) -> None:
    program = Interpreter(parse(text))
    state: dict[str, Any] = {}
    ours = trajectory(lambda w, g, s, t: program.step(w, g, s))
    theirs = trajectory(lambda w, g, s, t: oracle(state, w, g, s, t))
    for t, (a, b) in enumerate(zip(ours, theirs, strict=True), 1):
        for x, y in zip(a, b, strict=True):
            torch.testing.assert_close(x, y, rtol=1e-9, atol=1e-11, msg=lambda text, t=t: f"step {t}: {text}")
    assert t == STEPS


def test_every_program_of_the_library_has_an_oracle() -> None:
    assert list(library()) == sorted(ORACLES)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ORACLES))
def test_a_program_follows_its_formula_for_fifty_steps(name: str) -> None:
    same_trajectory(library()[name], ORACLES[name])


def test_stable_spam_resets_its_momentum() -> None:
    text = library()["stable_spam"].replace("modulo(step, 1000.0)", "modulo(step, 20.0)")
    assert text != library()["stable_spam"]
    same_trajectory(text, lambda *at: stable_spam(*at, period=20))
    with pytest.raises(AssertionError, match="step 20"):
        same_trajectory(text, stable_spam)


TORCH: dict[str, Callable[[Tree], torch.optim.Optimizer]] = {
    "sgd_momentum": lambda w: torch.optim.SGD(w, lr=0.01, momentum=0.9),
    "rmsprop": lambda w: torch.optim.RMSprop(w),
    "adagrad": lambda w: torch.optim.Adagrad(w),
    "adam": lambda w: torch.optim.Adam(w),
    "adamw": lambda w: torch.optim.AdamW(w),
    "adafactor": lambda w: torch.optim.Adafactor(w, eps=(1e-30, 1e-3)),
}
"""The methods that torch has with the same conventions. Its AMSGrad corrects the bias, its Muon computes in bfloat16,
and its Adafactor factors kernels by their last two axes, so it is compared on matrices."""


@pytest.mark.parametrize("name", sorted(TORCH))
def test_a_program_equals_the_optimizer_of_torch(name: str) -> None:
    w, gradient = problem(SHAPES[:-1])
    program = Interpreter(parse(library()[name]))
    params = [torch.nn.Parameter(x.clone()) for x in w]
    optimizer = TORCH[name](params)
    base = optimizer.param_groups[0]["lr"]
    for t in range(1, STEPS + 1):
        for param, g in zip(params, gradient(params, t), strict=True):
            param.grad = g
        optimizer.param_groups[0]["lr"] = base * schedule(t)
        optimizer.step()
        w = [x - u for x, u in zip(w, program.step(w, gradient(w, t), schedule(t)), strict=True)]
        for x, y in zip(w, params, strict=True):
            torch.testing.assert_close(x, y.detach(), rtol=1e-9, atol=1e-10)


def test_muon_moves_matrices_as_the_optimizer_of_torch_does_in_bfloat16() -> None:
    w, gradient = problem(((6, 3), (3, 6)))
    program = Interpreter(parse(library()["muon"]))
    params = [torch.nn.Parameter(x.clone()) for x in w]
    optimizer = torch.optim.Muon(params, lr=0.02, weight_decay=0.0)
    for t in range(1, 6):
        g = gradient(w, t)
        for param, x in zip(params, g, strict=True):
            param.grad = x.clone()
        optimizer.step()
        w = [x - u for x, u in zip(w, program.step(w, g), strict=True)]
        for x, y in zip(w, params, strict=True):
            torch.testing.assert_close(x, y.detach(), rtol=0, atol=0.02 * 0.05 * t)


@pytest.mark.parametrize("name", sorted(ORACLES))
def test_zero_weights_and_gradients_do_not_break_a_program(name: str) -> None:
    program = Interpreter(parse(library()[name]))
    w, gradient = problem(dtype=torch.float32)
    w = [torch.zeros_like(x) for x in w]
    for t in range(1, 8):
        g = [torch.zeros_like(x) if k == t % 5 else x for k, x in enumerate(gradient(w, t))]
        if t > 2:
            g[2][0], g[2][:, 1], g[4][:, 0] = 0.0, 0.0, 0.0
        w = [x - u for x, u in zip(w, program.step(w, g), strict=True)]
        assert all(torch.isfinite(x).all() for x in w), t
    assert all(x.any() for x in w)


@pytest.mark.parametrize("name", sorted(ORACLES))
def test_a_program_uses_every_line_but_the_one_known_dead(name: str) -> None:
    program = parse(library()[name])
    graph = trace(program)
    dead = {program.body[i].function for i in range(len(program.body)) if i not in graph.live_statements}
    assert dead == ({"cosh"} if name == "lion_raw" else set())
    assert library()[name].startswith("# ")
    assert parse(write(program)) == program
