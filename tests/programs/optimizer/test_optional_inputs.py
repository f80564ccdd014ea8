"""The inputs that a program may declare after `lr`: `step`, `progress` and `loss`."""

import pytest
import torch

from germline.evaluators.tasks.registry import task_class
from germline.programs.export.origin import Origin
from germline.programs.optimizer import InvalidProgram, library, parse, trace, write
from germline.programs.optimizer.export import export_torch, verified_torch
from germline.programs.optimizer.export.progress import TOTAL_STEPS, from_step_count
from germline.programs.optimizer.fingerprint import fingerprint
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.interpret import Interpreter
from germline.programs.optimizer.simplify import simplify
from germline.programs.optimizer.simplify.latex import latex
from germline.programs.optimizer.simplify.proof import prove_whole
from germline.programs.optimizer.simplify.report import paragraph
from germline.programs.optimizer.space import OptimizerSpace
from germline.search.kinds.optimizer import OptimizerKind, OptimizerSettings
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


def test_a_search_with_core_functions_refuses_them(tmp_path) -> None:  # type: ignore[no-untyped-def]
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


def test_a_rule_that_reads_the_loss_is_not_exported() -> None:
    with pytest.raises(InvalidProgram, match="do not depend on the input loss"):
        export_torch(parse(BOTH), NOWHERE, "Both")
