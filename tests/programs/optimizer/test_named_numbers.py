"""Programs written by hand with names for numbers: search, export and tuning see the numbers."""

from pathlib import Path

import numpy as np
import pytest

from germline.programs.optimizer import parse, trace, write
from germline.programs.optimizer.export.draft import draft_of
from germline.programs.optimizer.fingerprint import fingerprint
from germline.programs.optimizer.mutate import rate, rate_constant
from germline.programs.optimizer.named_numbers import without_named_numbers
from germline.search.kinds.optimizer_programs import read_start
from germline.search.knob_tuning.program_box import program_knobs

BY_HAND = """def train(w, g, m, lr):
  rate = 0.003
  beta = 0.9
  m = interp(g, m, beta)
  u = sign(m)
  beta = 0.5
  half = u * beta
  u = half * rate
  update = u * lr
  return update, m
"""


def test_numbers_stand_where_their_names_were_read() -> None:
    program = parse(BY_HAND)
    plain = without_named_numbers(program)
    assert (
        write(plain)
        == """def train(w, g, m, lr):
  m = interp(g, m, 0.9)
  u = sign(m)
  half = u * 0.5
  u = half * 0.003
  update = u * lr
  return update, m
"""
    )
    assert fingerprint(trace(plain)) == fingerprint(trace(program)) and without_named_numbers(plain) == plain


def test_a_state_that_becomes_a_number_is_still_returned() -> None:
    program = parse("def train(w, g, m: scalar, lr):\n  u = g * m\n  m = 0.25\n  return u, m\n")
    plain = without_named_numbers(program)
    assert trace(plain).next_states and fingerprint(trace(plain)) == fingerprint(trace(program))


def test_the_learning_rate_is_known_behind_its_name(tmp_path: Path) -> None:
    path = tmp_path / "start.txt"
    path.write_text(BY_HAND)
    start = parse(read_start(str(path)))
    assert rate_constant(parse(BY_HAND)) is None and rate_constant(start) is not None
    child = rate(start, np.random.default_rng(0))
    assert child is not None and fingerprint(trace(child)) != fingerprint(trace(start))
    assert draft_of(parse(BY_HAND)).default_rate == pytest.approx(0.0015)
    assert program_knobs(parse(BY_HAND)).box.knobs[0].default == pytest.approx(0.0015)
