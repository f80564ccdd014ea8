"""The read-out: a state that stands for the parameters when the model is evaluated, from text to export."""

import numpy as np
import pytest
import torch

from germline.evaluators.optimizer.class_trainer import train_with_class
from germline.evaluators.optimizer.schedule import Schedule
from germline.evaluators.optimizer.trainer import train
from germline.evaluators.task import Rung
from germline.evaluators.tasks.registry import task_class
from germline.programs.export.origin import Origin
from germline.programs.optimizer import Program, library, parse, trace, write
from germline.programs.optimizer.crossing import graft
from germline.programs.optimizer.export.verify import load_class, verified_torch
from germline.programs.optimizer.fingerprint import fingerprint, structural_fingerprint
from germline.programs.optimizer.fragment import Limits
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.interpret import Interpreter
from germline.programs.optimizer.simplify import simplify
from germline.programs.optimizer.space import OptimizerSpace

TEXT = """\
def train(w, g, m, x: readout, lr, step):
  m = interp(g, m, 0.9)
  update = m * (lr * 0.3)
  moved = w - update
  average = interp(moved, x, 0.9)
  x = where(greater(1.5, step), moved, average)
  return update, m, x
"""
"""Momentum whose model is evaluated at an average of the parameters so far."""
AVERAGED = parse(TEXT)
PLAIN = parse(TEXT.replace(": readout", ""))
RUNG = Rung(30, 16)


def measured(program: Program, beside: tuple[Program, ...] = ()) -> float:
    """The validation loss after a training, as the first of a pack."""
    task = task_class("digits-mlp")("cpu")
    result = train(task, [program, *beside], RUNG, (3,))[0]  # type: ignore[arg-type]
    assert result.measures is not None
    return result.measures["loss"]


def test_a_program_with_a_readout_is_written_as_it_was_read() -> None:
    assert parse(write(AVERAGED)) == AVERAGED
    assert (AVERAGED.readout, PLAIN.readout) == (1, None)


def test_a_readout_is_live_and_a_state_that_nothing_reads_is_not() -> None:
    assert trace(AVERAGED).live_states == (0, 1)
    assert trace(PLAIN).live_states == (0,)
    assert live_program(AVERAGED).states == AVERAGED.states


def test_programs_that_are_evaluated_elsewhere_have_other_fingerprints() -> None:
    other = parse(TEXT.replace("x, 0.9)", "x, 0.99)"))
    for digest in (fingerprint, structural_fingerprint):
        assert len({digest(trace(each)) for each in (AVERAGED, PLAIN, other)}) == 3


def test_the_interpreter_evaluates_the_readout() -> None:
    interpreter, w = Interpreter(AVERAGED), [torch.ones(3, 2)]
    assert interpreter.evaluated(w) == w
    average = torch.zeros(3, 2)
    for step in range(4):
        w = [leaf - change for leaf, change in zip(w, interpreter.step(w, [w[0] * 0.5]), strict=True)]
        average = w[0] if step == 0 else 0.1 * w[0] + 0.9 * average
        torch.testing.assert_close(interpreter.evaluated(w), [average])


def test_a_model_is_measured_with_its_readout_beside_any_others() -> None:
    alone, plain = measured(AVERAGED), measured(PLAIN)
    assert alone != plain
    lion = parse(library()["lion"])
    assert measured(AVERAGED, (lion, PLAIN)) == alone
    assert measured(PLAIN, (AVERAGED, lion)) == plain


def test_programs_that_differ_in_their_readout_alone_are_measured_apart() -> None:
    free = library()["schedule_free"]
    swapped = parse(free.replace("x: readout, z", "x, z: readout"))
    program = parse(free)
    alone = measured(program), measured(swapped)
    assert alone[0] != alone[1]
    assert (measured(program, (swapped,)), measured(swapped, (program,))) == alone


def test_curves_and_packs_that_shrink_evaluate_the_readout() -> None:
    task = task_class("digits-mlp")("cpu")
    diverges = parse("def train(w, g, lr):\n  update = g * -1e30\n  return update\n")
    programs = [diverges, AVERAGED, diverges, diverges, PLAIN]
    results = train(task, programs, RUNG, (3,), curve_steps=(10, 30))  # type: ignore[arg-type]
    assert [result.measures is None for result in results] == [True, False, True, True, False]
    assert results[1].measures is not None and results[1].curve[1] == results[1].measures["loss"]
    assert results[1].measures["loss"] == measured(AVERAGED)
    assert results[1].curve[0] != results[4].curve[0]


def test_an_exported_class_evaluates_as_the_search_did() -> None:
    source = verified_torch(AVERAGED, Origin(None, None, "0" * 24, None, None), "Averaged").content
    exported = load_class(source, "Averaged")
    task = task_class("digits-mlp")("cpu")
    result = train_with_class(task, exported, {}, RUNG, (3,), "cpu", "validation", Schedule())  # type: ignore[arg-type]
    assert result.measures is not None
    assert result.measures["loss"] == pytest.approx(measured(AVERAGED), rel=1e-4)


def test_an_exported_class_puts_parameters_and_readout_in_turn_in_the_model() -> None:
    source = verified_torch(AVERAGED, Origin(None, None, "0" * 24, None, None), "Averaged").content
    exported = load_class(source, "Averaged")
    model = torch.nn.Linear(3, 2).to(torch.bfloat16)
    optimizer = exported(model.parameters())  # type: ignore[call-arg]
    for _ in range(3):
        model(torch.ones(1, 3, dtype=torch.bfloat16)).sum().backward()
        optimizer.step()
    parameters = [p.detach().clone() for p in model.parameters()]
    readouts = [optimizer.state[p]["x"].clone() for p in model.parameters()]
    optimizer.eval()  # type: ignore[attr-defined]
    optimizer.eval()  # type: ignore[attr-defined]
    assert [p.tolist() for p in model.parameters()] == [x.to(torch.bfloat16).tolist() for x in readouts]
    with pytest.raises(RuntimeError, match=r"call optimizer\.train\(\) before a step"):
        optimizer.step()
    loaded = exported(model.parameters())  # type: ignore[call-arg]
    loaded.load_state_dict(optimizer.state_dict())
    loaded.train()  # type: ignore[attr-defined]
    assert all(map(torch.equal, model.parameters(), parameters))
    assert all(torch.equal(loaded.state[p]["x"], x) for p, x in zip(model.parameters(), readouts, strict=True))
    loaded.step()


def test_simplification_keeps_a_readout_and_its_unit() -> None:
    scaled = parse(TEXT.replace("  return", "  x = (x * 2.0) * 0.5\n  dead = m * m\n  return"))
    simplified = simplify(scaled).program
    assert len(simplified.body) < len(scaled.body) and simplified.readout == 1
    runs = [Interpreter(each) for each in (AVERAGED, simplified)]
    for _ in range(3):
        for run in runs:
            run.step([torch.ones(3, 2)], [torch.full((3, 2), 0.5)])
    torch.testing.assert_close(*(run.evaluated([torch.ones(3, 2)]) for run in runs))


def test_a_grafted_readout_is_a_state_like_any_other() -> None:
    donor = parse(library()["schedule_free"])
    shapes = set()
    for seed in range(40):
        child = graft(AVERAGED, trace(AVERAGED), donor, trace(donor), Limits(100, 8), np.random.default_rng(seed))
        if child is not None:
            shapes.add(tuple(state.shape for state in child.states))
    assert any(len(each) > 2 for each in shapes)
    assert all(each.count("readout") == 1 for each in shapes)


def test_variation_keeps_programs_with_a_readout_valid() -> None:
    space = OptimizerSpace(AVERAGED, "extended")
    rng = np.random.default_rng(0)
    program = AVERAGED
    for step in range(200):
        program = space.vary(program, tuple(space.operators)[step % len(space.operators)], rng).genome
        assert space.check(program) is None and program.readout is not None


@pytest.mark.parametrize("readout", ["w * 0.5", "g", "m"])
def test_a_readout_that_nothing_reads_is_exported(readout: str) -> None:
    body = f"  m = interp(w, m, 0.9)\n  x = {readout}\n  update = g * lr\n"
    program = parse(f"def train(w, g, m, x: readout, lr):\n{body}  return update, m, x\n")
    assert "class Unread" in verified_torch(program, Origin(None, None, "0" * 24, None, None), "Unread").content
