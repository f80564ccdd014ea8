"""The inputs that a program may declare after `lr`: `step`, `progress` and `loss`."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from germline.evaluators.tasks.registry import task_class
from germline.programs.export.loading import load_class
from germline.programs.export.origin import Origin
from germline.programs.optimizer import InvalidProgram, library, parse, trace, write
from germline.programs.optimizer.export import export_torch, verified_torch
from germline.programs.optimizer.export.progress import TOTAL_STEPS, from_step_count
from germline.programs.optimizer.fingerprint import fingerprint
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.interpret import Interpreter
from germline.programs.optimizer.optax_export import export_optax, verified_optax
from germline.programs.optimizer.simplify import simplify
from germline.programs.optimizer.simplify.latex import latex
from germline.programs.optimizer.simplify.proof import prove_whole
from germline.programs.optimizer.simplify.report import paragraph
from germline.programs.optimizer.space import OptimizerSpace
from germline.search.imports import checked_genomes
from germline.search.kinds.optimizer import OptimizerKind, OptimizerSettings
from germline.search.kinds.optimizer_programs import BadStart, read_start
from germline.search.settings import BadSetting

BOTH = """def train(w, g, m, lr, progress, loss):
  m = interp(g, m, 0.9)
  cool = 1.0 - progress
  u = m * (cool * loss) + sin(w - w) * 3.0
  u = u * lr
  return u, m
"""
COOLED = """def train(w, g, m, lr, progress):
  m = interp(g, m, 0.9)
  left = (1.0 - progress) * lr
  u = m * left * 0.1
  return u, m
"""
RULE = """def train(w, g, m, lr, progress, loss):
  m = interp(g, m, 0.9)
  u = m * ((1.0 - progress) * loss) + w * 0.01
  u = u * (lr * 0.1)
  return u, m
"""
NOWHERE = Origin(None, None, "0" * 24, None, None)


def test_they_stand_after_lr_in_one_order() -> None:
    program = parse(BOTH)
    assert program.inputs == ("w", "g", "m", "lr", "progress", "loss")
    assert parse(write(program)) == program
    for wrong in ("lr, loss, progress", "lr, progress, step", "lr, progress, progress", "progress, lr, progress"):
        with pytest.raises(InvalidProgram):
            parse(f"def train(w, g, {wrong}):\n  u = g\n  return u\n")


def test_a_state_may_have_the_name_of_one() -> None:
    program = parse("def train(w, g, loss, lr):\n  loss = loss + g\n  u = loss * lr\n  return u, loss\n")
    assert [state.name for state in program.states] == ["loss"] and not program.loss
    assert simplify(program).program.optional_inputs == ()


def test_a_search_takes_no_new_program_with_such_a_state(tmp_path: Path) -> None:
    clashing = "def train(w, g, loss, lr):\n  loss = loss + g\n  u = loss * lr\n  return u, loss\n"
    space = OptimizerSpace(parse(library()["adamw"]), "extended")
    assert "got loss; rename it" in str(space.refuses(parse(clashing)))
    assert OptimizerSpace(parse(clashing)).refuses(parse(clashing)) is None, "a run that has such a state goes on"
    path = tmp_path / "clashing.txt"
    path.write_text(clashing, encoding="utf-8")
    with pytest.raises(BadStart, match="got loss; rename it"):
        read_start(str(path))
    with pytest.raises(BadSetting, match="got loss; rename it"):
        checked_genomes(OptimizerKind(), OptimizerSettings(start=library()["adamw"]), [clashing], 100)


def test_those_that_nothing_reads_go() -> None:
    program = parse(BOTH.replace("cool * loss", "loss"))
    assert live_program(program).optional_inputs == ("loss",)
    assert fingerprint(trace(program)) == fingerprint(trace(live_program(program)))


def test_fingerprints_tell_them_from_other_numbers() -> None:
    texts = [COOLED.replace("1.0 - progress", text) for text in ("1.0 - progress", "progress", "1.0", "lr - progress")]
    texts += [text.replace("progress", "loss") for text in texts]
    assert len({fingerprint(trace(parse(text))) for text in texts}) == 7


@pytest.mark.slow
def test_simplified_programs_keep_them() -> None:
    simplified = simplify(parse(BOTH))
    assert simplified.program.optional_inputs == ("progress", "loss")
    assert len(simplified.program.body) < len(simplified.given.body)
    assert prove_whole(simplified, 20).verified
    assert "It depends on the share of the training that is done and the loss." in paragraph(simplified, ())
    assert r"\mathrm{loss}_t" in latex(simplified.program)


@pytest.mark.slow
def test_children_read_them_and_a_donor_brings_its_own() -> None:
    import numpy as np

    space = OptimizerSpace(parse(BOTH), "extended")
    program = space.start
    reads = 0
    for seed in range(60):
        program = space.vary(program, ("insert", "modify")[seed % 2], np.random.default_rng(seed)).genome
        assert space.check(program) is None and parse(write(program)) == program
        reads += sum("loss" in line.args for line in program.body)
    assert reads > 60
    space = OptimizerSpace(parse(library()["adamw"]), "extended")
    children = [
        space.combine(space.start, parse(BOTH), "cross", np.random.default_rng(seed)).genome for seed in range(8)
    ]
    assert any(child.loss and child.step for child in children)


def test_a_search_with_core_functions_refuses_them(tmp_path: Path) -> None:
    path = tmp_path / "cooled.txt"
    path.write_text(COOLED, encoding="utf-8")
    with pytest.raises(BadSetting, match="functions=extended"):
        OptimizerKind().prepare(OptimizerSettings(start=str(path)), task_class("digits-mlp"))
    settings = OptimizerSettings(start=str(path), functions="extended")
    assert "progress" in OptimizerKind().prepare(settings, task_class("digits-mlp")).start


@pytest.mark.slow
def test_an_export_computes_the_progress_from_its_steps() -> None:
    program, exported = parse(COOLED), from_step_count(parse(COOLED))
    given, counted = Interpreter(program), Interpreter(exported)
    w, g = [torch.ones(3, dtype=torch.float64)], [torch.full((3,), 0.5, dtype=torch.float64)]
    for step in range(5):
        (expected,) = given.step(w, g, 1.0, step / TOTAL_STEPS)
        torch.testing.assert_close(counted.step(w, g, 1.0)[0], expected, rtol=1e-12, atol=0.0)
    verified = verified_torch(program, NOWHERE, "Cooled")
    assert verified.unseen_arguments == ()
    assert "total_steps: int = 1000," in verified.content
    assert "total_steps: number of steps of the training" in verified.content


@pytest.mark.slow
def test_an_export_gets_the_loss_by_a_closure_or_as_it_is() -> None:
    verified = verified_torch(parse(RULE), NOWHERE, "Both")
    assert verified.unseen_arguments == ()
    exported = load_class(verified.content, "Both")
    params = [torch.tensor([1.0, -2.0], requires_grad=True) for _ in range(3)]
    plain, capturable, closed = (exported([p], capturable=p is params[1]) for p in params)

    def closure() -> torch.Tensor:
        closed.zero_grad()
        loss = (params[2] * params[2]).sum()
        loss.backward()
        return loss

    for _ in range(3):
        for optimizer, p in ((plain, params[0]), (capturable, params[1])):
            p.grad = 2.0 * p.detach()
            optimizer.step(loss=(p * p).sum())
        closed.step(closure)
    assert torch.equal(params[0], params[2]) and torch.allclose(params[0], params[1])
    with pytest.raises(ValueError, match=r"^Both reads the loss; pass it, or a closure$"):
        plain.step()


@pytest.mark.slow
@pytest.mark.xdist_group("optax")
def test_an_optax_export_gets_progress_and_loss() -> None:
    jax = pytest.importorskip("jax")
    verified = verified_optax(parse(RULE), NOWHERE, "Both")
    assert 0 < verified.difference < 1e-6 and verified.unseen_arguments == ()
    both = load_class(verified.content, "both")(total_steps=10)
    params = jax.numpy.ones(3)
    with pytest.raises(ValueError, match=r"^both reads the loss; pass value=loss to update$"):
        both.update(params, both.init(params), params)
    updates, _ = both.update(params, both.init(params), params, value=jax.numpy.float32(2.0))
    assert updates.tolist() == pytest.approx([-0.021] * 3)


@pytest.mark.slow
def test_exports_that_read_them_pass_the_linter_and_the_formatter(tmp_path: Path) -> None:
    for name, write_export in (("torch", export_torch), ("optax", export_optax)):
        (tmp_path / f"{name}_both.py").write_text(write_export(parse(RULE), NOWHERE, "Both"), encoding="utf-8")
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)]
        result = subprocess.run(ruff, capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
