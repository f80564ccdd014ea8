"""The kernel for graphics processors: its logic by Triton's interpreter on a CPU, and the real one where one is.

Both have to give what the CPU's engine gives, bit for bit.
"""

import os
import subprocess
import sys

import pytest
import torch
from reference_runs import mutants, same

from germline.evaluators.optimizer.engine import ProgramEngine
from germline.programs.optimizer import library, parse
from germline.programs.optimizer.flat import Layout

pytest.importorskip("triton", reason="Triton is not installed")

LAYOUT = Layout(((6, 4), (5,), (), (3, 2, 2)))
STEPS = 3

INTERPRETED = """
import sys
import numpy as np, torch, warnings
from germline.evaluators.optimizer.engine import bytecode_rows, cuda
from germline.evaluators.optimizer.engine.bytecode_rows import BytecodeRows, rows_of
from germline.evaluators.optimizer.engine.micro import Unsupported, lower
from germline.programs.optimizer import library, parse, trace
from germline.programs.optimizer.flat import Layout
from germline.programs.optimizer.primitives import CORE, PRIMITIVES
import special_values
from reference_runs import mutants, same
from triton.language.semantic import TritonSemantic

warnings.simplefilter("ignore")
layout = Layout(((6, 4), (5,), (), (3, 2, 2)))
calls = {1: "g", 2: "g, w"}
texts = [
    f"def train(w, g, m, v, lr):\\n  m = interp(m, g, 0.1)\\n  a = {name}({calls[PRIMITIVES[name].arity]})\\n"
    "  u = a * w\\n  return u, m, v\\n"
    for name in CORE
    if PRIMITIVES[name].arity in calls and not PRIMITIVES[name].operator and name not in ("invert", "clip")
]
names = "adagrad_norm adamw amsgrad c_adamw diffgrad hypergradient lars lion_raw prodigy stable_spam".split()
texts += [library()[name] for name in names]
body = "  b = loss - b\\n  u = g * b + w * progress\\n  return u, b\\n"
texts.append("def train(w, g, b: scalar, lr, progress, loss):\\n" + body)
programs = [parse(text) for text in texts] + mutants(5, 3) + mutants(5, 4, "extended")
lowered = []
for program in programs:
    try:
        lowered.append(lower(trace(program), layout))
    except Unsupported:
        pass

def run(chunk, run_rows):
    bytecode_rows._chunk, bytecode_rows.run_rows = lambda _: chunk, run_rows
    rows = BytecodeRows(rows_of(lowered, layout, "cpu"), 0, layout, "cpu")
    rates = torch.rand(len(lowered), generator=torch.Generator().manual_seed(2))
    numbers = torch.Generator().manual_seed(1)
    rows.parameters.copy_(0.5 * torch.randn(len(lowered), layout.elements, generator=numbers))
    for step in (1, 2):
        rows.gradients.copy_(0.5 * torch.randn(len(lowered), layout.elements, generator=numbers))
        of_all = torch.tensor([1.0 / step]), torch.tensor([float(step)]), torch.tensor([0.3 * step])
        lr = of_all[0] if step == 1 else rates  # first the same for all rows, then another for each
        rows.step(lr, *of_all[1:], torch.rand(len(lowered), generator=numbers))
    return rows.parameters

def states(chunk, run_rows):
    bytecode_rows._chunk, bytecode_rows.run_rows = lambda _: chunk, run_rows
    programs = special_values.programs()
    lowered = {name: lower(trace(program), special_values.LAYOUT) for name, program in programs.items()}
    rows = BytecodeRows(rows_of(list(lowered.values()), special_values.LAYOUT, "cpu"), 0, special_values.LAYOUT, "cpu")
    rows.parameters.copy_(special_values.SECOND.expand(len(lowered), -1))
    rows.gradients.copy_(special_values.FIRST.expand(len(lowered), -1))
    rows.step(torch.ones(1), torch.ones(1), torch.zeros(1), torch.zeros(len(lowered)))
    return dict(zip(lowered, special_values.states(rows), strict=True))

def minus(semantic, x):
    # As Triton 3.6 compiles it, which other versions must not depend on either.
    zero = semantic.full(x.shape, 0, x.type.scalar) if x.type.is_block() else semantic.to_tensor(0.0)
    return semantic.sub(zero, x, True)

TritonSemantic.minus = minus
cuda.CHUNK = 512
on_cpu = bytecode_rows.run_rows
here, there = states(2048, on_cpu), states(512, cuda.run_rows)
other = {
    name: int((~special_values.equal_bits(here[name], there[name]).all(0) & special_values.is_near(name)).sum())
    for name in here
}
other = {name: count for name, count in other.items() if count}
print("special", len(here), other)

# A chunk that is smaller than the first leaf, so that sums and states go over several.
cuda.CHUNK = 16
wrong = (~same(run(2048, on_cpu), run(16, cuda.run_rows)).all(1)).nonzero().flatten().tolist()
print("programs", len(lowered), wrong)
sys.exit(bool(wrong or other))
"""


@pytest.mark.slow
def test_the_kernel_gives_the_bits_of_the_cpu_engine() -> None:
    """In a process of its own: whether Triton interprets or compiles is settled when a kernel is declared."""
    code = f"import sys; sys.path[:0] = {[path for path in sys.path if path.endswith('helpers')]!r}\n{INTERPRETED}"
    environment = {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    counts = {line.split()[0]: int(line.split()[1]) for line in done.stdout.splitlines()}
    assert counts["programs"] > 50 and counts["special"] > 30


@pytest.mark.slow
def test_the_kernel_compiles_for_real_processors() -> None:
    """Compiling needs no device; types and layouts that the interpreter lets pass would fail here."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    from germline.evaluators.optimizer.engine import cuda

    kernel = cuda._run_rows
    kinds = {"memory": "*fp32", "rows": "*i64", "sums": "*fp64", "lr": "*fp32", "step": "*fp32", "SIZE": "constexpr"}
    kinds |= {"code": "*i64", **dict.fromkeys(("sections", "whole", "by_leaf"), "*i32")}
    signature = {name: kinds.get(name, "i32") for name in kernel.arg_names}
    source = ASTSource(kernel, signature, constexprs={(kernel.arg_names.index("SIZE"),): cuda.CHUNK})
    options = {"num_warps": 4, "enable_fp_fusion": False}
    done = compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    assert ".target sm_90" in done.asm["ptx"]
    assert "fma.rn.f32" not in done.asm["ptx"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no graphics processor")
def test_both_processors_give_the_same_bits() -> None:
    programs = [*map(parse, library().values()), *mutants(200, 6)]
    engines = [ProgramEngine(programs, LAYOUT, device) for device in ("cpu", "cuda")]
    numbers = torch.Generator().manual_seed(1)
    w = 0.5 * torch.randn(LAYOUT.elements, generator=numbers)
    for engine in engines:
        engine.parameters.copy_(w.expand(len(programs), -1))
    for step in range(1, STEPS + 1):
        g = 0.5 * torch.randn(LAYOUT.elements, generator=numbers)
        for engine in engines:
            engine.gradients.copy_(g.expand(len(programs), -1))
            engine.step(1.0 / step, step)
    compiled = engines[0].compiled_rows  # torch multiplies the matrices of the other rows in an order of its own
    assert compiled == engines[1].compiled_rows > len(programs) / 2
    assert same(engines[0].parameters[:compiled], engines[1].parameters[:compiled].cpu()).all()
