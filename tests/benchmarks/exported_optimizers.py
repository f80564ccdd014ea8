"""Time of a step of exported optimizers, against the same rule in torch.optim with its defaults.

The baseline of Lion and AdaBelief, which torch does not have, is a class with in-place kernels that is written by hand.
Both sides take steps in turn on tensors of their own; the row has the shortest time of ours and the ratio of the two:
1.1 means that ours takes a tenth longer. `compiled` is `torch.compile` of our step against torch's fused kernel.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from germline.programs.export.origin import Origin
from germline.programs.optimizer import library, parse
from germline.programs.optimizer.export import verified_torch

ROUNDS = 60
SIZES = ((100, 100_000), (1_000, 1_000))
"""Numbers of tensors and of their elements."""
COMPILED_SIZES = ((100, 100_000), (100, 1_000))
"""Those for compiled steps. To compile a step of 1,000 tensors of 1,000 elements took 3 CPU minutes (SGD) or 11;
the step then took 1.22 to 1.29 (SGD), 1.22 to 1.56 (Adam), 1.13 to 1.21 (AdamW) times as long as the fused one."""
Step = Callable[[], Any]


def exported(name: str) -> Any:
    """The exported class of a program of the library, in a module of its own, as the compiler needs it."""
    source = verified_torch(parse(library()[name]), Origin(None, None, "0" * 24, None, None), "Exported").content
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"exported_{name}.py"
        path.write_text(source, encoding="utf-8")
        spec = spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = sys.modules[path.stem] = module_from_spec(spec)
        spec.loader.exec_module(module)
    return module.Exported


class Lion(torch.optim.Optimizer):
    """Lion, written by hand."""

    def __init__(self, params: list[Tensor], lr: float = 1e-4, betas: tuple[float, float] = (0.9, 0.99)) -> None:
        super().__init__(params, {"lr": lr, "betas": betas})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["m"] = torch.zeros_like(p)
                m = state["m"]
                p.add_(torch.lerp(m, p.grad, 1 - beta1).sign_(), alpha=-group["lr"])
                m.lerp_(p.grad, 1 - beta2)


class AdaBelief(torch.optim.Optimizer):
    """AdaBelief, written by hand."""

    def __init__(self, params: list[Tensor], lr: float = 1e-3, eps: float = 1e-16) -> None:
        super().__init__(params, {"lr": lr, "betas": (0.9, 0.999), "eps": eps})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            (beta1, beta2), eps = group["betas"], group["eps"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state.update(step=0, m=torch.zeros_like(p), s=torch.zeros_like(p))
                state["step"] += 1
                m, s, step = state["m"], state["s"], state["step"]
                m.lerp_(p.grad, 1 - beta1)
                surprise = p.grad - m
                s.mul_(beta2).addcmul_(surprise, surprise, value=1 - beta2).add_(eps)
                denom = (s.sqrt() / (1 - beta2**step) ** 0.5).add_(eps)
                p.addcdiv_(m, denom, value=-group["lr"] / (1 - beta1**step))


BASELINES: dict[str, tuple[str, Callable[[list[Tensor]], Step]]] = {
    "adamw": ("torch.optim.AdamW", lambda params: torch.optim.AdamW(params).step),
    "adam": ("torch.optim.Adam", lambda params: torch.optim.Adam(params).step),
    "sgd_momentum": ("torch.optim.SGD", lambda params: torch.optim.SGD(params, 0.01, momentum=0.9).step),
    "lion": ("in-place kernels by hand", lambda params: Lion(params).step),
    "adabelief": ("in-place kernels by hand", lambda params: AdaBelief(params).step),
}


FUSED: dict[str, Callable[[list[Tensor]], Step]] = {
    "adamw": lambda params: torch.optim.AdamW(params, fused=True).step,
    "adam": lambda params: torch.optim.Adam(params, fused=True).step,
    "sgd_momentum": lambda params: torch.optim.SGD(params, 0.01, momentum=0.9, fused=True).step,
}
"""The optimizers of torch with a kernel for all of a step."""


def parameters(count: int, size: int) -> list[Tensor]:
    params = [torch.randn(size).requires_grad_() for _ in range(count)]
    for p in params:
        p.grad = torch.randn(size)
    return params


def compared(ours: Step, theirs: Step) -> tuple[float, float]:
    """The shortest seconds of a step of either side, which take turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for round_ in range(ROUNDS + 2):
        for step, own in zip((ours, theirs), times, strict=True):
            began = time.perf_counter()
            step()
            if round_ >= 2:
                own.append(time.perf_counter() - began)
    return min(times[0]), min(times[1])


def row(name: str, baseline: str, ours: Step, theirs: Step) -> dict[str, object]:
    seconds, reference = compared(ours, theirs)
    return {
        "name": f"export: {name}",
        "value": 1e6 * seconds,
        "unit": "microseconds per step",
        "ratio": seconds / reference,
        "baseline": f"{baseline}, {1e6 * reference:,.0f}",
    }


def rows() -> list[dict[str, object]]:
    """A row for each optimizer and size, and a compiled step against the fused kernel."""
    result = []
    for name, (baseline, make) in BASELINES.items():
        optimizer = exported(name)
        for count, size in SIZES:
            theirs = make(parameters(count, size))
            result.append(row(f"{name} {count}x{size}", baseline, optimizer(parameters(count, size)).step, theirs))
    for name, make in FUSED.items():
        optimizer = exported(name)
        for count, size in COMPILED_SIZES:
            compiled = torch.compile(optimizer(parameters(count, size)).step, fullgraph=True)
            fused = make(parameters(count, size))
            result.append(row(f"{name} compiled {count}x{size}", "torch.optim, fused", compiled, fused))
    return result
