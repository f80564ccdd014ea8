"""An exported file stands alone and does what its program does."""

import ast
import copy
import io
import itertools
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from germline.programs.export.files import ExportUnwritable, write_verified
from germline.programs.export.loading import load_class
from germline.programs.export.names import class_name_for
from germline.programs.export.origin import Origin
from germline.programs.export.verified import ExportMismatch, VerifiedExport
from germline.programs.optimizer import InvalidProgram, Program, Statement, library, parse
from germline.programs.optimizer.export import (
    TOLERANCE,
    compare_torch,
    export_torch,
    relative_difference,
    verified_torch,
    verify,
    verify_torch,
)
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.interpret import Interpreter
from germline.programs.optimizer.space import OptimizerSpace

pytestmark = pytest.mark.slow

NOWHERE = Origin(None, None, "0" * 24, None, None)
STANDARD = {"math", "collections.abc", "typing", "torch", "torch.optim.optimizer"}
LIBRARY = sorted(library())
EQUAL = verify.Difference(0.0, 0.0)

MIXED = """
def train(w, g, m, t: leaf, r: row, b: scalar, lr, step):
  n = global_norm(g)
  b = interp(n, b, 0.9)
  r = row_mean(g)
  t = leaf_max(g)
  m = interp(g, m, 0.8)
  lr = lr * 0.01
  d = dot(m, g)
  k = d / b
  u = m + r
  u = u * k
  u = u + t
  u = clip(u, 1.5)
  decay = power(step, -0.5)
  u = u * decay
  update = u * lr
  return update, m, t, r, b
"""
"""States of rows, tensors and numbers, a step count, and reductions in the middle."""

WHITENED = """
def train(w, g, m, l: left, r: right, q: left, x: readout, lr, step):
  l = interp(matmul(g, transpose(g)), l, 0.9)
  r = interp(matmul(transpose(g), g), r, 0.9)
  q = eigenbasis(l, q)
  u = rotate_back(matmul(matmul(l, inverse_root(l)), g), r)
  m = interp(u, m, 0.9)
  u = (m + matmul(transpose(q), g)) * (lr * 0.01)
  update = u + w * 0.001
  y = w - update
  average = interp(y, x, 0.9)
  x = where(greater(1.5, step), y, average)
  return update, m, l, r, q, x
"""
"""States of rows times rows and columns times columns, the functions for them, and a read-out."""


def optimizer_class(text: str, name: str = "Exported") -> type[torch.optim.Optimizer]:
    return load_class(verified_torch(parse(text), NOWHERE, name).content, name)


def leaves(seed: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=random).to(dtype) for shape in ((), (4,), (3, 5), (2, 3, 2, 2))]


def parameters(seed: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    return [leaf.requires_grad_() for leaf in leaves(seed, dtype)]


def run(optimizer: torch.optim.Optimizer, params: list[Tensor], steps: range) -> None:
    for step in steps:
        for p, g in zip(params, leaves(1000 + step), strict=True):
            p.grad = g.to(p.dtype)
        optimizer.step()


def random_programs(count: int) -> list[Program]:
    """Start programs after 1 to 25 random changes: three in four of core functions, the others of all."""
    start = parse(library()["adamw_plain"])
    every = [parse(library()[name]) for name in LIBRARY]
    programs = []
    for k in range(count):
        rng = np.random.default_rng([5, k])
        program = every[k % len(every)] if k % 4 == 3 else start
        space = OptimizerSpace(program, "extended" if k % 4 == 3 else "core")
        for _ in range(int(rng.integers(1, 26))):
            program = space.vary(program, ("insert", "delete", "modify")[rng.integers(3)], rng).genome
        programs.append(program)
    return programs


@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARY)
def test_every_program_of_the_library_is_exported_and_equals_the_interpreter(name: str) -> None:
    program = parse(library()[name])
    assert verified_torch(program, NOWHERE, class_name_for(name)).difference <= TOLERANCE
    exact = export_torch(program, NOWHERE, "Exported", exact=True)
    assert compare_torch(exact, program, "Exported") == EQUAL


@pytest.mark.slow
@pytest.mark.parametrize("text", [MIXED, WHITENED], ids=["mixed", "whitened"])
def test_states_of_every_shape_and_reductions_in_the_middle_equal_the_interpreter(text: str) -> None:
    assert verified_torch(parse(text), NOWHERE, "Exported").difference <= TOLERANCE
    exact = export_torch(parse(text), NOWHERE, "Exported", exact=True)
    verify_torch(exact, parse(text), "Exported", exact=True)
    assert compare_torch(exact, parse(text), "Exported") == EQUAL


def test_tensors_without_elements_take_no_step() -> None:
    params = [torch.zeros(shape, requires_grad=True) for shape in ((0,), (0, 3), (3, 0), (2, 0, 2))]
    optimizer = optimizer_class(WHITENED)(params)  # type: ignore[call-arg]
    for _ in range(2):
        for p in params:
            p.grad = torch.zeros_like(p)
        optimizer.step()
    kept = [value for p in params for value in optimizer.state[p].values() if isinstance(value, Tensor)]
    assert kept and all(bool(value.isfinite().all()) for value in kept)


@pytest.mark.slow
def test_functions_of_literals_alone_equal_the_interpreter_bit_for_bit() -> None:
    text = """
def train(w, g, lr):
  z = global_norm(g)
  a = interp(0.1, 0.2, 0.3)
  b = max(0.1, 0.7)
  c = where(0.1, 0.2, 0.4)
  d = greater(0.3, 0.2)
  e = modulo(7.0, 4.0)
  f = power(2.5, 1.5)
  h = 0.3 * 0.4
  k = max(0.0, g)
  k = k / z
  q = get_pi()
  update = interp(k, a, b)
  update = interp(update, c, d)
  update = interp(update, e, f)
  update = interp(update, h, q)
  return update
"""
    for source_text in (text, text.replace("global_norm", "cosh")):
        source = export_torch(parse(source_text), NOWHERE, "Exported")
        assert compare_torch(source, parse(source_text), "Exported") == EQUAL


@pytest.mark.slow
def test_random_programs_equal_the_interpreter_and_their_exact_form_does_so_bit_for_bit() -> None:
    for k, program in enumerate(random_programs(60)):
        assert verified_torch(program, NOWHERE, "Exported").difference <= TOLERANCE, k
        if k % 6 == 1:
            exact = export_torch(program, NOWHERE, "Exported", exact=True)
            assert compare_torch(exact, program, "Exported") == EQUAL, k


@pytest.mark.slow
def test_a_file_that_differs_from_its_program_is_refused() -> None:
    program = parse(library()["lion"])
    source = export_torch(program, NOWHERE, "Lion")
    wrong = source.replace("= (0.9, 0.99),", "= (0.9, 0.9901),")
    assert wrong != source
    with pytest.raises(ExportMismatch, match=r"expected the same .* of Lion and its program to 1e-09, got a diff"):
        verify_torch(wrong, program, "Lion")


def test_states_that_differ_are_found_although_the_updates_agree() -> None:
    program = parse("def train(w, g, m, lr):\n  m = m + g\n  s = sign(m)\n  update = s * lr\n  return update, m\n")
    source = export_torch(program, NOWHERE, "Signs")
    wrong = source.replace("m.add_(g)\n", "m.add_(g, alpha=1.001)\n")
    assert wrong != source
    with pytest.raises(ExportMismatch):
        verify_torch(wrong, program, "Signs")


WRONG = {
    "a coefficient is off by 1e-4": ("= (0.9, 0.999),", "= (0.90009, 0.999),"),
    "a learning rate is off by 1e-4": ("lr: float | torch.Tensor = 0.001,", "lr: float | torch.Tensor = 0.0010001,"),
    "a weight decay is off by 1e-4": ("weight_decay: float = 0.01,", "weight_decay: float = 0.010001,"),
    "another epsilon": ("eps: float = 1e-08,", "eps: float = 1e-09,"),
    "no epsilon": (".add_(eps)", ""),
    "no bias correction": ("bias_correction2 = _once(1 - beta2**step)", "bias_correction2 = 1.0"),
    "the sign of small elements": ("m.lerp_(g, 1 - beta1)", "m.lerp_(torch.where(g.abs() < 1e-7, -g, g), 1 - beta1)"),
    "the sign of one element": ("m.lerp_(g, 1 - beta1)", "m.lerp_(g, 1 - beta1).view(-1)[g.abs().argmin()] *= -1.0"),
    "float32 in float64": ("m.lerp_(g, 1 - beta1)", "m.lerp_(g.float().to(g.dtype), 1 - beta1)"),
    "half precision in float32": (
        "m.lerp_(g, 1 - beta1)",
        "m.lerp_(g.bfloat16().to(g.dtype) if g.dtype == torch.float32 else g, 1 - beta1)",
    ),
    "one step is skipped": ("m.lerp_(g, 1 - beta1)", "m.lerp_(g, 1 - beta1 if step != 7 else 0.0)"),
}
"""What is wrong with a class, and the text that makes AdamW so."""


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_class_is_refused(fault: str) -> None:
    program = parse(library()["adamw"])
    source = export_torch(program, NOWHERE, "Exported")
    old, new = WRONG[fault]
    wrong = source.replace(old, new, 1)
    assert wrong != source
    with pytest.raises(ExportMismatch, match="expected the same parameters and states"):
        verify_torch(wrong, program, "Exported")


def test_one_huge_element_hides_no_error_of_another() -> None:
    expected = torch.tensor([1e12, 1.0, 1e-6], dtype=torch.float64)
    assert relative_difference(torch.tensor([1e12, 1.0001, 1e-6], dtype=torch.float64), expected) > 0.9e-4
    assert relative_difference(torch.tensor([1e12, 1.0, -1e-6], dtype=torch.float64), expected) == pytest.approx(2.0)
    single = torch.tensor([1e12, 1.0, 1e-6])
    allowance = 64 * torch.finfo(torch.float32).eps * expected
    assert verify.rounding_share(single * (1 + 1e-6), single, expected, allowance) < 1.0
    assert verify.rounding_share(torch.tensor([1e12, 1.0, -1e-6]), single, expected, allowance) > 1e4
    assert verify.rounding_share(torch.tensor([1e12, float("nan"), 1e-6]), single, expected, allowance) > 1.0


def test_values_that_are_not_finite_must_be_equal_in_a_relative_difference() -> None:
    inf, nan = float("inf"), float("nan")
    assert relative_difference(torch.tensor([1.0, nan, inf]), torch.tensor([1.0, nan, inf])) == 0.0
    assert relative_difference(torch.tensor([1.0, nan]), torch.tensor([1.0, 2.0])) == inf
    assert relative_difference(torch.tensor([1.0, inf]), torch.tensor([1.0, -inf])) == inf
    assert relative_difference(torch.tensor([1.0, inf]), torch.tensor([1.0, 3.0])) == inf
    assert relative_difference(torch.tensor([1.0, inf]), torch.tensor([1.5, inf])) == pytest.approx(1 / 3)
    assert relative_difference(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.5])) == pytest.approx(0.2)
    assert relative_difference(torch.tensor([1000.0, 0.0]), torch.tensor([1000.0, 1e-3])) == 1.0
    assert relative_difference(torch.tensor([1000.0, 0.0]), torch.tensor([1000.0, 1e-3]), 1.0) == pytest.approx(1e-3)


@pytest.mark.slow
def test_files_import_torch_and_the_standard_library_only() -> None:
    for name in LIBRARY:
        tree = ast.parse(export_torch(parse(library()[name]), NOWHERE, "Exported"))
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert imported <= STANDARD, name


@pytest.mark.slow
def test_exported_files_pass_the_linter_and_the_formatter(tmp_path: Path) -> None:
    long = re.sub(
        r"\bu\b", "the_update_before_clipping", MIXED.replace("decay", "reciprocal_root_of_the_number_of_steps")
    )
    texts = [
        *(parse(library()[name]) for name in LIBRARY),
        parse(MIXED),
        parse(WHITENED),
        parse(long),
        *random_programs(20),
    ]
    for (k, program), exact in itertools.product(enumerate(texts), (False, True)):
        source = export_torch(program, NOWHERE, "Exported", exact)
        assert max(map(len, source.splitlines())) <= 100, k
        (tmp_path / f"exported_{k}_{exact}.py").write_text(source, encoding="utf-8")
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)]
        result = subprocess.run(ruff, capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]


def test_lion_is_as_short_as_a_person_would_write_it() -> None:
    source = export_torch(parse(library()["lion"]), NOWHERE, "Lion")
    assert len(source.splitlines()) <= 280
    assert "lr: float | torch.Tensor = 0.0001," in source
    lines = [line.strip() for line in source[source.index("w, g = p, ") :].splitlines()]
    assert lines[4:7] == [
        "blend = torch.lerp(m, g, 1 - beta1)",
        "m.lerp_(g, 1 - beta2)",
        "blend.sign_()",
    ]


def test_the_rate_is_the_product_of_all_constant_factors_of_the_update() -> None:
    text = "def train(w, g, lr):\n  s = sign(g)\n  k = 0.5 * 0.01\n  k = k * lr\n  u = 0.2 * s\n"
    text += "  update = u * k\n  return update\n"
    source = export_torch(parse(text), NOWHERE, "Exported")
    assert "lr: float | torch.Tensor = 0.001," in source
    assert "0.5" not in source
    assert verify_torch(source, parse(text), "Exported").difference <= TOLERANCE


@pytest.mark.parametrize(
    ("text", "default"),
    [
        ("def train(w, g, lr):\n  update = g * 0.1\n  return update\n", 1.0),
        ("def train(w, g, lr):\n  g = clip(g, lr)\n  update = g * 0.1\n  return update\n", 1.0),
        ("def train(w, g, lr):\n  g = g * lr\n  update = g * -0.1\n  return update\n", 0.1),
        ("def train(w, g, lr):\n  g = g * lr\n  g = g * lr\n  update = g * 0.1\n  return update\n", 0.1),
        ("def train(w, g, lr):\n  g = g * lr\n  update = g * 0.0\n  return update\n", 1.0),
        ("def train(w, g, lr):\n  c = cosh(lr)\n  g = g * lr\n  g = g * c\n  update = g * 0.1\n  return update\n", 0.1),
        ("def train(w, g, m, lr):\n  m = m + g\n  m = m * lr\n  update = m * 0.1\n  return update, m\n", 0.1),
        ("def train(w, g, lr):\n  a = negative(0.1)\n  g = g * lr\n  update = g * a\n  return update\n", 0.1),
        (
            "def train(w, g, lr):\n  r = lr * 0.001\n  u = g * r\n  s = 0.001 * lr\n  d = s * 0.01\n  d = d * w\n"
            "  update = u + d\n  return update\n",
            0.001,
        ),
        (
            "def train(w, g, m, lr):\n  lr = lr * 0.2\n  a = g * lr\n  m = a + m\n  update = m\n  return update, m\n",
            0.2,
        ),
        (
            "def train(w, g, lr):\n  a = lr * 0.1\n  a = g * a\n  b = lr * 0.2\n  b = w * b\n  update = a + b\n"
            "  return update\n",
            0.1,
        ),
        ("def train(w, g, lr):\n  a = lr * -0.1\n  b = g * a\n  update = w + b\n  return update\n", 1.0),
        (
            "def train(w, g, s: scalar, lr):\n  a = lr * 0.1\n  b = g * a\n  c = w * s\n  s = lr\n  update = c + b\n"
            "  return update, s\n",
            1.0,
        ),
        ("def train(w, g, lr):\n  lr = negative(lr)\n  g = g * 0.1\n  update = g * lr\n  return update\n", 0.1),
    ],
)
def test_programs_that_use_lr_in_other_ways_equal_the_interpreter_at_every_schedule_value(
    text: str, default: float
) -> None:
    verified = verified_torch(parse(text), NOWHERE, "Exported")
    assert f"lr: float | torch.Tensor = {default!r}," in verified.content
    assert verified.difference <= TOLERANCE


def test_a_scalar_that_follows_from_the_step_count_has_a_value_for_each_parameter() -> None:
    program = parse("""
def train(w, g, lr, step):
  c = power(1.09739, -0.473783)
  c = c * step
  c = 0.92 + c
  update = g / c
  update = update * lr
  return update
""")
    verified = verified_torch(program, NOWHERE, "Exported")
    assert verified.content == export_torch(program, NOWHERE, "Exported")  # the readable form, in lists too


@pytest.mark.slow
def test_names_that_clash_with_the_code_around_them_get_a_suffix() -> None:
    text = """
def train(w, g, state, params, torch, sum, lr):
  p = interp(g, state, 0.9)
  group = interp(g, params, 0.8)
  beta1 = square(p)
  torch = interp(beta1, torch, 0.7)
  sum = max(torch, sum)
  l = group * 0.5
  float = l + p
  self = float / sum
  math = self * 0.001
  update = math * lr
  return update, p, group, torch, sum
"""
    source = verified_torch(parse(text), NOWHERE, "Exported").content
    assert "state_.lerp_(g, 1 - beta1)" in source
    assert "torch_.mul_(beta2).addcmul_(state_, state_, value=1 - beta2)" in source
    assert "torch.maximum(sum_, torch_, out=sum_)" in source


def test_names_stay_whole_where_shorter_ones_would_make_no_line_fit() -> None:
    wide = ", ".join(f"average{k}" for k in range(9))
    body = "".join(f"  average{k} = interp(g, average{k}, 0.{k + 1})\n" for k in range(9))
    text = f"def train(w, g, {wide}, lr):\n{body}  update = {wide.replace(',', ' +')}\n  return update, {wide}\n"
    for program in (parse(text), parse(library()["stable_spam"]), parse(library()["hypergradient"])):
        source = export_torch(program, NOWHERE, "Exported")
        names = ", ".join(f"`{state.name}`" for state in program.states)
        assert f"{names} start" in " ".join(source.split())
    assert "            self._init_group(\n                group,\n" in export_torch(parse(text), NOWHERE, "Exported")


@pytest.mark.parametrize("body", ["x = 0.5\n  y = x\n  u = g * y", "x = 0.5\n  u = g * x\n  x = g\n  u = x * u"])
def test_a_copy_of_a_number_keeps_its_value_until_its_name_is_given_again(body: str) -> None:
    program = parse(f"def train(w, g, lr):\n  {body}\n  update = u * lr\n  return update\n")
    source = export_torch(program, NOWHERE, "Exported")
    assert verify_torch(source, program, "Exported").difference <= TOLERANCE


def test_the_formula_of_a_value_is_written_before_a_state_that_it_mentions_changes() -> None:
    text = "def train(w, g, m, lr):\n  t1 = m * 2.0\n  m = m + g\n  update = (t1 + m) * lr\n  return update, m\n"
    source = export_torch(parse(text), NOWHERE, "Exported")
    assert "        t1 = m * scale\n        m = m + g\n        w = w - (t1 + m) * lr\n" in source


def test_literals_are_arguments_named_after_their_purpose() -> None:
    text = """
def train(w, g, m, v, lr):
  g = clip(g, 2.0)
  m = interp(g, m, 0.9)
  v = interp(g, v, 0.9)
  d = power(v, 2.0)
  d = d + 1e-06
  d = max(d, 0.25)
  d = min(d, 8.0)
  u = m / d
  wd = w * 0.1
  u = u + wd
  h = greater(u, 0.5)
  u = u * h
  u = u * lr
  update = u * 0.001
  return update, m, v
"""
    defaults = optimizer_class(text)(parameters(0)).defaults  # type: ignore[call-arg]
    expected = {
        "lr": 0.001, "betas": (0.9, 0.9), "eps": 1e-6, "weight_decay": 0.1, "max_norm": 2.0, "floor": 0.25,
        "ceiling": 8.0, "threshold": 0.5, "foreach": None, "maximize": False, "capturable": False,
        "differentiable": False,
    }  # fmt: skip
    assert defaults == expected


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1.0, -0.1])
def test_hyper_parameters_are_checked_on_construction_and_for_every_group(bad: float) -> None:
    lion = optimizer_class(library()["lion"])
    with pytest.raises(ValueError, match=r"^Invalid beta parameter at index 0: "):
        lion(parameters(0), betas=(bad, 0.99))  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=r"^Invalid beta parameter at index 1: "):
        lion([{"params": parameters(0), "betas": (0.9, bad)}])  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=r"^Invalid betas: expected 2 numbers, got "):
        lion(parameters(0), betas=(0.9,))  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=r"^Invalid learning rate: -0.1$"):
        lion(parameters(0), lr=-0.1)  # type: ignore[call-arg]


@pytest.mark.slow
@pytest.mark.parametrize("text", [library()["adamw"], MIXED], ids=["adamw", "mixed"])
def test_each_group_follows_its_own_hyper_parameters(text: str) -> None:
    exported = optimizer_class(text)
    first, second = parameters(1), parameters(2)
    other: dict[str, object] = {"lr": 0.5}
    other["betas" if "betas" in exported(parameters(0)).defaults else "momentum"] = (  # type: ignore[call-arg]
        (0.3, 0.5) if "betas" in exported(parameters(0)).defaults else 0.3  # type: ignore[call-arg]
    )
    groups = [{"params": first}, {"params": second, **other}]
    together = exported(groups)  # type: ignore[call-arg]
    run(together, first + second, range(0))
    alone = parameters(1), parameters(2)
    apart = exported(alone[0]), exported(alone[1], **other)  # type: ignore[call-arg]
    for step in range(5):
        for p, g in zip((*first, *second), leaves(step) * 2, strict=True):
            p.grad = g.clone()
        together.step()
        for optimizer, params in zip(apart, alone, strict=True):
            for p, g in zip(params, leaves(step), strict=True):
                p.grad = g.clone()
            optimizer.step()
    assert all(map(torch.equal, first + second, alone[0] + alone[1]))
    assert not torch.equal(second[3], first[3])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    "text", [library()["adamw"], library()["lion_raw"], MIXED, WHITENED], ids=["adamw", "lion_raw", "mixed", "whitened"]
)
def test_a_run_continues_bit_for_bit_from_a_state_dict(text: str, dtype: torch.dtype) -> None:
    exported = optimizer_class(text)
    straight = parameters(3, dtype)
    run(exported(straight), straight, range(12))  # type: ignore[call-arg]

    before = parameters(3, dtype)
    optimizer = exported(before)  # type: ignore[call-arg]
    run(optimizer, before, range(5))
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    after = [p.detach().clone().requires_grad_() for p in before]
    resumed = exported(after, lr=0.123)  # type: ignore[call-arg]
    resumed.load_state_dict(torch.load(file, weights_only=True))
    run(resumed, after, range(5, 12))
    assert all(map(torch.equal, straight, after))
    kept = [value for p in after for value in resumed.state[p].values() if isinstance(value, Tensor)]
    assert kept and all(value.dtype == torch.float32 for value in kept)


@pytest.mark.slow
def test_a_deep_copy_is_independent() -> None:
    params = parameters(4)
    optimizer = optimizer_class(MIXED)(params)  # type: ignore[call-arg]
    run(optimizer, params, range(3))
    twin = copy.deepcopy(optimizer)
    copied = twin.param_groups[0]["params"]
    run(optimizer, params, range(3, 6))
    run(twin, copied, range(3, 6))
    assert all(map(torch.equal, params, copied))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_parameters_are_updated_in_float32(dtype: torch.dtype) -> None:
    program = live_program(parse(MIXED))
    interpreter = Interpreter(program)
    params = parameters(5, dtype)
    w = [p.detach().clone() for p in params]
    optimizer = optimizer_class(MIXED)(params)  # type: ignore[call-arg]
    for step in range(6):
        g = leaves(step, dtype)
        for p, gradient in zip(params, g, strict=True):
            p.grad = gradient.clone()
        optimizer.step()
        update = interpreter.step([leaf.float() for leaf in w], [leaf.float() for leaf in g])
        w = [(leaf.float() - change).to(dtype) for leaf, change in zip(w, update, strict=True)]
    # The rate may have merged into lr, which moves the last bit of float32 and seldom one of half precision.
    assert max(map(relative_difference, params, w)) < 0.01
    same = sum(int((p == leaf).sum()) for p, leaf in zip(params, w, strict=True))
    assert same >= 0.9 * sum(p.numel() for p in params)


@pytest.mark.parametrize("text", [library()["adamw"], MIXED, WHITENED], ids=["adamw", "mixed", "whitened"])
def test_parameters_without_a_gradient_do_not_change(text: str) -> None:
    params, others = parameters(6), parameters(6)
    optimizer = optimizer_class(text)(params)  # type: ignore[call-arg]
    optimizer.step()
    assert not any(optimizer.state.values())
    run(optimizer, params, range(2))
    params[2].grad = None
    kept, state = params[2].detach().clone(), copy.deepcopy(optimizer.state[params[2]])
    moved = params[1].detach().clone()
    optimizer.step()
    assert torch.equal(params[2], kept)
    assert not torch.equal(params[1], moved)
    assert all(
        torch.equal(torch.as_tensor(optimizer.state[params[2]][key]), torch.as_tensor(state[key])) for key in state
    )
    assert not torch.equal(params[3], others[3])


def test_a_closure_is_called_once_with_gradients_on_and_its_loss_is_returned() -> None:
    p = torch.tensor([1.0, -2.0], requires_grad=True)
    optimizer = optimizer_class(library()["lion"])([p], lr=0.5)  # type: ignore[call-arg]
    calls = []

    def closure() -> Tensor:
        calls.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    assert loss is not None and float(torch.as_tensor(loss).detach()) == 5.0
    assert calls == [True]
    assert p.tolist() == [0.5, -1.5]


@pytest.mark.parametrize("text", [library()["adamw"], MIXED], ids=["adamw", "mixed"])
def test_sparse_gradients_are_refused(text: str) -> None:
    exported = optimizer_class(text)
    embedding = torch.nn.Embedding(5, 3, sparse=True)
    embedding(torch.tensor([1, 2])).sum().backward()
    with pytest.raises(RuntimeError, match="Exported does not support sparse gradients"):
        exported(embedding.parameters()).step()  # type: ignore[call-arg]


def test_complex_parameters_are_refused_by_rules_of_rows_and_columns() -> None:
    p = torch.ones(3, dtype=torch.complex64, requires_grad=True)
    p.abs().sum().backward()
    with pytest.raises(RuntimeError, match="Exported does not support complex parameters"):
        optimizer_class(MIXED)([p]).step()  # type: ignore[call-arg]


@pytest.mark.slow
@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize("name", ["adamw", "lion_raw"])
def test_a_scheduler_of_torch_drives_the_program_s_lr(name: str, as_tensor: bool) -> None:
    program = live_program(parse(library()[name]))
    params = parameters(7)
    w = [p.detach().clone() for p in params]
    exported = optimizer_class(library()[name])
    default = exported(parameters(7)).defaults["lr"]  # type: ignore[call-arg]
    optimizer = exported(params, **({"lr": torch.tensor(default)} if as_tensor else {}))  # type: ignore[call-arg]
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    interpreter = Interpreter(program)
    for step in range(10):
        g = leaves(step)
        for p, gradient in zip(params, g, strict=True):
            p.grad = gradient.clone()
        optimizer.step()
        scheduler.step()
        update = interpreter.step(w, g, 0.5 * (1 + np.cos(np.pi * step / 10)))
        w = [leaf - change for leaf, change in zip(w, update, strict=True)]
    assert max(map(relative_difference, params, w)) < 1e-5


def test_states_do_not_share_memory_with_parameters_or_gradients() -> None:
    text = "def train(w, g, a, b, r: row, lr):\n  d = g - a\n  e = w - b\n  u = d + e\n  u = u + r\n"
    text += "  r = row_mean(g)\n  u = u * lr\n  update = u * 0.1\n  return update, g, w, r\n"
    interpreter = Interpreter(parse(text))
    params = parameters(8)
    w = [p.detach().clone() for p in params]
    optimizer = optimizer_class(text)(params)  # type: ignore[call-arg]
    for step in range(4):
        # A gradient that is cleared in place, as with zero_grad(set_to_none=False).
        optimizer.zero_grad(set_to_none=False)
        for p, gradient in zip(params, leaves(step), strict=True):
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
            p.grad += gradient
        optimizer.step()
        update = interpreter.step(w, leaves(step))
        w = [leaf - change for leaf, change in zip(w, update, strict=True)]
    assert max(map(relative_difference, params, w)) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adamw", "lion", "muon", "stable_spam"])
def test_an_exported_optimizer_trains_a_small_network(name: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 6)
    y = torch.sin(x.sum(1, keepdim=True))
    model = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    optimizer = optimizer_class(library()[name])(model.parameters(), lr=0.01)  # type: ignore[call-arg]
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_the_docstring_shows_the_rule_and_the_origin() -> None:
    origin = Origin("my-run", 12, "abc123", 0.8125, "digits-mlp")
    doc = load_class(export_torch(parse(library()["lion_raw"]), origin, "MyRun12"), "MyRun12").__doc__ or ""
    for part in (
        "m = momentum * v + (1 - momentum) * g",
        "my-run",
        "Birth: 12",
        "abc123",
        "0.8125",
        "digits-mlp",
        "1e-09",
        "those of a group",
    ):
        assert part in doc
    assert "cosh" not in doc
    bare = load_class(export_torch(parse(library()["lion_raw"]), NOWHERE, "MyRun12"), "MyRun12").__doc__ or ""
    assert not re.search("Run:|Birth:|Fitness:|Task:|None", bare)


@pytest.mark.parametrize(
    "name",
    [
        '"""\nimport os\nos.environ["GERMLINE_BROKEN"] = "1"\n"""',
        '\\"""; raise SystemExit',
        'x"',
        "x\\",
        "\\" * 100,
        "a\x00b\x1b[31m\r\n\u2028\u202e\ud800",
        "{0} {class_name} %s",
        "Zürich 東京 ✓",
        "",
    ],
)
def test_no_name_of_a_run_breaks_out_of_the_docstring(name: str) -> None:
    program = parse(library()["lion"])
    source = export_torch(program, Origin(name, 1, name, 0.5, name), "Lion")
    plain = ast.parse(export_torch(program, Origin("a", 1, "b", 0.5, "c"), "Lion"))
    tree = ast.parse(source)
    for module in (tree, plain):
        defined = [node for node in module.body if isinstance(node, ast.ClassDef)][-1]
        defined.body = defined.body[1:]
    assert ast.dump(tree) == ast.dump(plain)
    assert all(character.isprintable() or character == "\n" for character in source)
    assert verify_torch(source, program, "Lion").difference <= TOLERANCE


def test_a_program_whose_names_are_code_is_refused() -> None:
    bad = Program((Statement("update = 1\nimport os\nupdate", "*", ("g", "lr")),), (), False, ("update",))
    with pytest.raises(InvalidProgram):
        export_torch(bad, NOWHERE, "Exported")
    for name in ("class", "torch", "a b", "x; import os", "", "2x", "é"):
        with pytest.raises(ValueError, match="expected a class name"):
            export_torch(parse(library()["lion"]), NOWHERE, name)


@pytest.mark.parametrize(
    ("run", "birth", "name"),
    [
        ("my-run", 12, "MyRun12"),
        ("adamw_plain", None, "AdamwPlain"),
        ("2024 test", 3, "Optimizer2024Test3"),
        ("", 7, "Evolved7"),
        (None, None, "Evolved"),
        ("../Zürich", 0, "ZRich0"),
        ("none", None, "NoneOptimizer"),
    ],
)
def test_a_class_is_named_after_its_run_and_birth(run: str | None, birth: int | None, name: str) -> None:
    assert class_name_for(run, birth) == name
    assert f"class {name}(" in export_torch(parse(library()["lion"]), NOWHERE, name)


@pytest.mark.slow
def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = parse(library()["lion"])
    source = export_torch(program, NOWHERE, "Lion")
    path = tmp_path / "with space ü.py"
    path.write_text("old")
    with monkeypatch.context() as patched, pytest.raises(ExportMismatch):
        patched.setattr(verify, "export_torch", lambda *_, **__: source.replace("(0.9, 0.99)", "(0.9, 0.9)"))
        write_verified(path, verified_torch(program, NOWHERE, "Lion"))
    assert path.read_text() == "old"
    verified = verified_torch(program, NOWHERE, "Lion")
    assert verified.difference <= verified.tolerance == TOLERANCE
    write_verified(path, verified)
    assert path.read_text(encoding="utf-8") == source
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_path_that_takes_no_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "missing" / "lion.py", tmp_path, tmp_path / "file" / "lion.py", tmp_path / ("x" * 300)):
        with pytest.raises(ExportUnwritable, match=r"^expected .*, got .*") as caught:
            write_verified(path, VerifiedExport("source"))
        assert "\n" not in str(caught.value)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file"]


def test_names_of_states_never_clash_with_keywords_or_with_the_code_around_them() -> None:
    names = ("a", "i", "numbers", "columns", "grouped", "lists", "betas")
    body = "".join(f"  {name} = interp(g, {name}, 0.{k + 1})\n" for k, name in enumerate(names))
    text = f"def train(w, g, {', '.join(names)}, lr):\n{body}  update = a + i\n  update = update * 0.1\n"
    for name in names[2:]:
        text += f"  update = update * {name}\n"
    text += f"  update = update * lr\n  return update, {', '.join(names)}\n"
    assert verified_torch(parse(text), NOWHERE, "Exported").difference <= TOLERANCE


def rule(*lines: str, states: str = "m, v", inputs: str = ", step") -> str:
    """The text of a program whose update is scaled by 0.001 and lr."""
    body = "".join(f"  {line}\n" for line in lines)
    return (
        f"def train(w, g, {states}, lr{inputs}):\n{body}  lr = lr * 0.001\n  update = update * lr\n"
        f"  return update, {states.removesuffix(': leaf')}\n"
    )


ADAM = rule(
    "m = interp(g, m, 0.95)",
    "s = square(g)",
    "v = interp(s, v, 0.95)",
    "c1 = 1.0 - power(0.95, step)",
    "c2 = 1.0 - power(0.95, step)",
    "denom = sqrt(v) / sqrt(c2)",
    "update = m / denom",
    "update = update / c1",
)
FOLDED = rule(
    "m = interp(g, m, 0.9)",
    "v = interp(square(g), v, 0.99)",
    "scale = sqrt(1.0 - power(0.99, step)) * reciprocal(1.0 - power(0.9, step))",
    "update = scale * m / sqrt(v)",
)
FADE = rule(
    "m = interp(g, m, 0.9)",
    "v = interp(square(g), v, 0.999)",
    "fade = power(0.999, step)",
    "update = fade * m / sqrt(v)",
)
AVERAGE = rule(
    "m = 0.9 * m + 0.1 * g",
    "m_hat = m * reciprocal(1.0 - power(0.9, step))",
    "update = m_hat + 0.5 * m",
    states="m",
)
NADAM = rule("m = interp(g, m, 0.9)", "update = 0.9 * m + 0.1 * g", states="m", inputs="")
EPSILON = rule("v = interp(square(g), v, 0.9)", "update = g / (sqrt(v) + 1e-08)", states="v", inputs="")
REVERSED = rule("m = interp(m, g, 0.1)", "update = m", states="m", inputs="")
NO_STATE = rule("u = g + 0.5 * m", "m = interp(g, w, 0.3)", "update = u", states="m", inputs="")
MINUS = rule("m = interp(g, m, 0.9)", "update = m - 0.1 * m", states="m", inputs="")
UNSIGNED = rule("v = 0.99 * v + 0.02 * square(g)", "update = g / sqrt(v)", states="v", inputs="")
LENGTHS = rule("n = 0.9 * n + norm(g)", "update = g / n", states="n: leaf", inputs="").replace(
    "update, n: leaf", "update, n"
)
WEIGHTS = rule("a = 0.9 * a + 0.2 * w", "update = g - a", states="a", inputs="")
DECAYED = rule("m = interp(g, m, 0.99)", "update = 0.9 * m + 0.1 * w", states="m", inputs="")
COUPLED = rule("m = 0.9 * m + 0.1 * w", "m = m + g", "update = m", states="m", inputs="")
AHEAD = rule(
    "a = interp(g, m, 0.9)",
    "b = interp(g, v, 0.8)",
    "m = interp(g, a, 1.1)",
    "v = interp(g, b, 1.2)",
    "update = a + b",
    inputs="",
)
BETWEEN = rule("a = interp(g, m, 0.9)", "m = interp(g, sign(a), 0.3)", "update = a", states="m", inputs="")
LOOK_AHEAD = rule(
    "m = interp(g, m, 0.9)", "x = interp(g, m, 0.9)", "update = x * reciprocal(1.0 - power(0.9, step))", states="m"
)
LARGEST = rule(
    "v = interp(square(g), v, 0.99)",
    "h = max(h, v)",
    "root = sqrt(h) * reciprocal(sqrt(1.0 - power(0.99, step)))",
    "update = g / (root + 1e-08)",
    states="v, h",
)
NORMALISED = rule(
    "x = g * reciprocal(max(norm(g), n))",
    "n = norm(g)",
    "m = 0.9 * m + (x + 0.01 * w)",
    "update = m",
    states="m, n: leaf",
).replace("return update, m, n: leaf", "return update, m, n")
OF_A_SUM = rule("x = m + g", "m = 0.9 * x", "update = g + m", states="m", inputs="")
FIRST = rule("m = where(greater(step, 1.5), interp(g, m, 0.9), g)", "update = m", states="m")
TRIVIAL = rule("m = interp(g, m, 0.0)", "update = m + w * 1.0", states="m", inputs="")
POWER = rule(
    "m = interp(g, m, 0.8)",
    "v = interp(square(g), v, 0.7)",
    "v_hat = v * power(0.9, step)",
    "update = m / sqrt(v_hat)",
)
ADADELTA = rule(
    "m = interp(square(g), m, 0.9)",
    "delta = g * sqrt(v + 1e-6) * reciprocal(sqrt(m + 1e-6))",
    "v = interp(square(delta), v, 0.8)",
    "update = delta",
    inputs="",
)
BOUNDED = rule("m = interp(g, m, 0.9)", "d = max(abs(m), 1e-6)", "update = g * reciprocal(d)", states="m", inputs="")
STEP = rule("m = m + (g - m) * 0.1", "update = m", states="m", inputs="")
DIFFERENCE = rule("m = m - 0.1 * (m - g)", "update = m", states="m", inputs="")
BY_HAND = rule(
    "m = g * 0.1 + m * 0.9",
    "v = 0.999 * v + 0.001 * g * g",
    "c = sqrt(1.0 - power(0.999, step)) * reciprocal(1.0 - power(0.9, step))",
    "update = c * m / sqrt(v)",
)
COINCIDENCE = rule("m = 0.9 * m + g", "update = m + 0.1 * w", states="m", inputs="")
TERM = rule("m = 0.9 * m + g", "update = m + 0.1 * g", states="m", inputs="")
SHARED = rule("a = 0.1 * g", "m = 0.9 * m + a", "update = m + a", states="m", inputs="")
TWO_STATES = rule("m = 0.5 * m + 0.5 * v", "v = 0.9 * v + 0.1 * g", "update = m", inputs="")
PRODUCT = rule("a = 0.3 * w", "update = g + a * g", states="m", inputs="").replace(", m", "")
MASKED = rule("a = 0.3 * w", "b = greater(w * g, 0.0)", "update = g + a * b", states="m", inputs="").replace(", m", "")
NAMED = rule(
    "raw = norm(g)",
    "ratio = 1.0 + 0.3 * raw",
    "ratio = min(max(ratio, 0.5), 2.0)",
    "m = m + g",
    "update = m * ratio",
    states="m",
    inputs="",
)
NO_FACTOR = "def train(w, g, lr):\n  update = g * lr\n  return update\n"
ADAMAX = rule(
    "m = interp(g, m, 0.9)",
    "v = max(0.999 * v, abs(g))",
    "update = m / (v * (1.0 - power(0.9, step)))",
)
TWO_DECAYS = rule("d = 0.01 * w", "m = interp(g + d, m, 0.9)", "update = sign(m) + d", states="m", inputs="")
NESTEROV = rule("d = 0.01 * w", "m = 0.9 * m + (g + d)", "update = 0.9 * m + (g + d)", states="m", inputs="")
SIGNS = "def train(w, g, m, lr):\n  m = interp(g, m, 0.9)\n  update = {}\n  return update, m\n"
SHARED_RATE = SIGNS.format("lr * 2e-05 * w + sign(m) * (lr * 0.001)")
INNER_RATE = SIGNS.format("lr * (sign(m) * 0.001 + 2e-05 * w)")
OPPOSITE_RATES = SIGNS.format("g * (lr * 0.005) - m * (lr * 0.01)")
DECAYED_SIGNS = {"lr": 0.001, "momentum": 0.9, "weight_decay": 0.02}
DOUBTS: dict[str, tuple[str, dict[str, Any]]] = {
    "equal decays and corrections": (ADAM, {"lr": 0.001, "betas": (0.95, 0.95), "eps": 1e-8}),
    "corrections in one factor": (FOLDED, {"lr": 0.001, "betas": (0.9, 0.99), "eps": 1e-8}),
    "a schedule with the base of a decay": (FADE, {"lr": 0.001, "betas": (0.9, 0.999), "decay": 0.999, "eps": 1e-8}),
    "an average by hand": (AVERAGE, {"lr": 0.001, "momentum": 0.9, "scale": 0.5}),
    "a second average": (NADAM, {"lr": 0.001, "momentum": 0.9}),
    "an epsilon beside the language's": (EPSILON, {"lr": 0.001, "alpha": 0.9, "eps": 1e-8}),
    "a reversed average": (REVERSED, {"lr": 0.001, "momentum": 0.9}),
    "an average as a step": (STEP, {"lr": 0.001, "momentum": 0.9}),
    "an average as a difference": (DIFFERENCE, {"lr": 0.001, "momentum": 0.9}),
    "averages of squares alone": (ADADELTA, {"lr": 0.001, "alpha1": 0.9, "alpha2": 0.8, "eps": 1e-6, "shift": 1e-6}),
    "averages of squares by hand": (BY_HAND, {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8}),
    "a decay and a weight decay that make one": (COINCIDENCE, {"lr": 0.001, "momentum": 0.9, "weight_decay": 0.1}),
    "a decay and a term that make one": (TERM, {"lr": 0.001, "momentum": 0.9, "scale": 0.1}),
    "a weight that something else reads": (SHARED, {"lr": 0.001, "scale1": 0.1, "scale2": 0.9}),
    "an average of two states": (TWO_STATES, {"lr": 0.001, "betas": (0.5, 0.9)}),
    "a name of the author": (NAMED, {"lr": 0.001, "min_ratio": 0.5, "max_ratio": 2.0, "raw_scale": 0.3}),
    "an average without a state": (NO_STATE, {"lr": 0.001, "scale": 0.5, "mix": 0.3}),
    "a state that is subtracted": (MINUS, {"lr": 0.001, "momentum": 0.9, "scale": 0.1}),
    "a sum that is never negative": (UNSIGNED, {"lr": 0.001, "eps": 1e-8, "scale1": 0.99, "scale2": 0.02}),
    "a sum of lengths": (LENGTHS, {"lr": 0.001, "scale": 0.9}),
    "parameters in a state": (WEIGHTS, {"lr": 0.001, "momentum": 0.9, "scale": 0.2}),
    "a weight decay beside a momentum": (DECAYED, {"lr": 0.001, "momentum": 0.99, "scale": 0.9, "weight_decay": 0.1}),
    "a product with the gradient": (PRODUCT, {"lr": 0.001, "scale": 0.3}),
    "a weight decay under a mask": (MASKED, {"lr": 0.001, "weight_decay": 0.3}),
    "a weight decay within a momentum": (COUPLED, {"lr": 0.001, "momentum": 0.9, "weight_decay": 0.1}),
    "two averages that look ahead": (AHEAD, {"lr": 0.001, "betas": (0.9, 0.8), "beta3": 1.1, "beta4": 1.2}),
    "a weight between two averages": (BETWEEN, {"lr": 0.001, "momentum": 0.9, "mix": 0.3}),
    "a correction of an average that looks ahead": (LOOK_AHEAD, {"lr": 0.001, "momentum": 0.9}),
    "a correction of the largest average so far": (LARGEST, {"lr": 0.001, "alpha": 0.99, "eps": 1e-8}),
    "a weight decay beside a normalised gradient": (NORMALISED, {"lr": 0.001, "momentum": 0.9, "weight_decay": 0.01}),
    "a momentum of a sum": (OF_A_SUM, {"lr": 0.001, "momentum": 0.9}),
    "the first step": (FIRST, {"lr": 0.001, "momentum": 0.9}),
    "numbers that nobody would tune": (TRIVIAL, {"lr": 0.001}),
    "a power of a power": (POWER, {"lr": 0.001, "betas": (0.8, 0.7), "decay": 0.9, "eps": 1e-8}),
    "no factor of lr": (NO_FACTOR, {"lr": 1.0}),
    "a rate that two terms share": (SHARED_RATE, DECAYED_SIGNS),
    "a rate inside of a sum": (INNER_RATE, DECAYED_SIGNS),
    "a decayed maximum": (ADAMAX, {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8}),
    "weight decays before and after a state": (
        TWO_DECAYS,
        {"lr": 0.001, "momentum": 0.9, "weight_decay1": 0.01, "weight_decay2": 0.01},
    ),
    "a weight decay of a gradient that is read twice": (NESTEROV, {"lr": 0.001, "momentum": 0.9, "weight_decay": 0.01}),
    "opposite rates": (OPPOSITE_RATES, {"lr": 0.01, "momentum": 0.9, "scale": 0.5}),
}
"""Programs with a constant whose name or group is easily mistaken, and the arguments that their classes have."""


@pytest.mark.parametrize("doubt", DOUBTS)
def test_a_constant_in_doubt_is_an_argument_of_its_own(doubt: str) -> None:
    text, expected = DOUBTS[doubt]
    source = export_torch(parse(text), NOWHERE, "Exported")
    verify_torch(source, parse(text), "Exported")
    defaults = load_class(source, "Exported")(parameters(0)).defaults
    options = ("foreach", "maximize", "capturable", "differentiable")
    assert {name: value for name, value in defaults.items() if name not in options} == expected
    assert isinstance(defaults["lr"], float)


def test_an_argument_says_what_its_number_is() -> None:
    assert "decays of the moving average `m` and the running maximum `v`" in export_torch(
        parse(ADAMAX), NOWHERE, "Exported"
    )
    text = export_torch(parse(TWO_DECAYS), NOWHERE, "Exported")
    assert "weight_decay1: weight decay, which the states see" in text
    assert "weight_decay2: decoupled weight decay" in text


def test_a_program_that_amplifies_its_rounding_is_exported() -> None:
    """With another eps the class and the program round differently, and the sine makes that a difference of order 1."""
    text = """def train(w, g, v, lr):
  v = interp(square(g), v, 0.999)
  update = sin(w * 1e9) * (v / v) * lr
  return update, v
"""
    assert verified_torch(parse(text), NOWHERE, "Exported").difference == 0.0


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("number", ["min(matrix, norm(m))", "matrix * norm(m)", "max(rows(m), norm(m)) + columns(m)"])
def test_numbers_of_a_shape_are_on_the_device_of_the_parameters(number: str, foreach: bool) -> None:
    """The device `meta` refuses a tensor of the CPU where a GPU does."""
    text = f"""def train(w, g, m, lr):
  matrix = greater(rank(w), 1.5)
  m = interp(g, m, 0.9)
  update = m * ({number}) * lr
  return update, m
"""
    params = [torch.zeros(shape, device="meta", requires_grad=True) for shape in ((3, 4), (5,), ())]
    optimizer = optimizer_class(text)(params, foreach=foreach)
    for p in params:
        p.grad = torch.zeros_like(p)
    optimizer.step()


def test_an_epsilon_that_bounds_a_divisor_is_not_added() -> None:
    assert "eps: least value of what is divided by" in export_torch(parse(BOUNDED), NOWHERE, "Exported")
    assert "eps: added to what is divided by" in export_torch(parse(ADADELTA), NOWHERE, "Exported")


WRONG_OPTIONS = {
    "two arguments are swapped": (ADAM, "beta1, beta2 = group", "beta2, beta1 = group"),
    "maximize is not read": (NADAM, "-grad if maximize else grad", "grad"),
    "maximize is not read for lists": (NADAM, "-g if maximize else g", "g"),
}
"""A program, and texts that make its class wrong with other arguments than its defaults."""


@pytest.mark.parametrize("fault", WRONG_OPTIONS)
def test_a_class_that_is_wrong_with_other_arguments_is_refused(fault: str) -> None:
    text, old, new = WRONG_OPTIONS[fault]
    source = export_torch(parse(text), NOWHERE, "Exported")
    wrong = source.replace(old, new)
    assert wrong != source
    with pytest.raises(ExportMismatch, match="expected the same parameters and states of Exported with"):
        verify_torch(wrong, parse(text), "Exported")


@pytest.mark.parametrize(
    "text",
    [
        "def train(w, g, m, lr):\n  u = orthogonalize(m)\n  m = interp(g, m, 0.9)\n  return u, m\n",
        "def train(w, g, m, r: row, lr):\n  u = m + r\n  r = row_mean(m)\n  m = interp(g, m, 0.9)\n  return u, m, r\n",
    ],
    ids=["the update", "a state"],
)
def test_what_is_a_state_itself_below_rank_two_is_read_before_that_state_changes(text: str) -> None:
    verified_torch(parse(text), NOWHERE, "Exported")


def test_no_argument_has_a_name_that_schedulers_of_torch_change() -> None:
    text = rule("momentum = interp(g, m, 0.9)", "update = min(momentum, 0.5)", states="m", inputs="")
    optimizer = optimizer_class(text.replace("return update, m", "return update, momentum"))(parameters(0))
    torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=10)
    assert optimizer.param_groups[0]["ceiling"] == 0.5


def test_an_argument_that_changes_no_result_is_named() -> None:
    zero = rule("m = interp(g - g, m, 0.9)", "update = g + m", states="m", inputs="")
    assert verified_torch(parse(zero), NOWHERE, "Exported").unseen_arguments == ("momentum",)
    assert verified_torch(parse(library()["adamw"]), NOWHERE, "Exported").unseen_arguments == ()


def test_an_argument_with_an_effect_from_the_sixth_step_on_is_verified() -> None:
    late = rule("x = where(greater(step, 5.5), g * 0.3, g)", "update = x", states="m", inputs=", step").replace(
        "  lr = lr", "  m = g\n  lr = lr"
    )
    verified = verified_torch(parse(late), NOWHERE, "Exported")
    assert verified.unseen_arguments == () and "scale: float = 0.3" in verified.content


@pytest.mark.parametrize(("update", "step"), [("log(g - g)", 1), ("g * power(1e150, step)", 3), ("g", None)])
def test_from_which_step_on_no_parameter_is_finite(update: str, step: int | None) -> None:
    text = f"def train(w, g, lr, step):\n  update = {update}\n  return update\n"
    assert verified_torch(parse(text), NOWHERE, "Exported").not_finite_from == step


CHANGES: dict[str, tuple[str, dict[str, Any], str]] = {
    "both corrections": (
        ADAM, {"betas": (0.5, 0.7)},
        ADAM.replace("m, 0.95", "m, 0.5").replace("c1 = 1.0 - power(0.95", "c1 = 1.0 - power(0.5")
        .replace("0.95", "0.7"),
    ),
    "corrections in one factor": (FOLDED, {"betas": (0.5, 0.7)}, FOLDED.replace("0.99", "0.7").replace("0.9", "0.5")),
    "a decay without the schedule": (FADE, {"betas": (0.9, 0.8)}, FADE.replace("v, 0.999", "v, 0.8")),
    "the schedule alone": (FADE, {"decay": 0.8}, FADE.replace("power(0.999", "power(0.8")),
    "an epsilon": (EPSILON, {"eps": 1e-4}, EPSILON.replace("1e-08", "0.0001")),
    "a reversed average": (REVERSED, {"momentum": 0.6}, REVERSED.replace("0.1)", "0.4)")),
    "both weights of a sum": (
        BY_HAND, {"betas": (0.6, 0.7)},
        BY_HAND.replace("0.999", "0.7").replace("0.001 * g * g", "0.3 * g * g").replace("0.9", "0.6")
        .replace("g * 0.1", "g * 0.4"),
    ),
    "a step of an average": (STEP, {"momentum": 0.6}, STEP.replace("* 0.1", "* 0.4")),
    "a decay beside a weight decay": (COINCIDENCE, {"momentum": 0.6}, COINCIDENCE.replace("0.9", "0.6")),
    "a base under a root": (POWER, {"decay": 0.5}, POWER.replace("power(0.9", "power(0.5")),
}  # fmt: skip
"""A program, arguments, and the program that its class with these arguments must equal."""


@pytest.mark.parametrize("change", CHANGES)
def test_a_class_with_another_argument_equals_the_program_with_that_constant(change: str) -> None:
    text, arguments, changed = CHANGES[change]
    assert changed != text
    params, start = parameters(0, torch.float64), leaves(0, torch.float64)
    optimizer = optimizer_class(text)(params, **arguments)
    interpreter = Interpreter(parse(changed))
    for step in range(4):
        run(optimizer, params, range(step, step + 1))
        gradients = [g.double() for g in leaves(1000 + step)]
        start = [w - u for w, u in zip(start, interpreter.step(start, gradients, 1.0), strict=True)]
    assert all(relative_difference(p, w) < 1e-10 for p, w in zip(params, start, strict=True))
