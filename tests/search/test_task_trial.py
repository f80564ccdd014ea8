"""Trials of tasks: those that keep their word, and those that do not."""

import math
import re
from pathlib import Path

import pytest
from own_modules import DIGITS
from own_tasks import LINE, task_file

from germline.search.knob_tuning.tuning import KnobTuningPlan
from germline.search.task_trial import TRIALS, headroom
from germline.search.task_trial.report import Report
from germline.search.task_trial.rows import equal_rows
from germline.search.task_trial.same_bits import same_bits
from germline.search.task_trial.speed import measure_speed
from germline.search.task_trial.subject import subject_of

SUBCLASSES = """

class Claims(Line):
    batch_invariant = True


class Independent(Line):
    def loss(self, params, split, index):
        x, y = self.x[self.parts[split]][index], self.y[self.parts[split]][index]
        prediction = (x[None] * params["weight"][:, None]).sum(2) + params["bias"][:, None]
        return (prediction - y).square().mean(1)


class Hashed(Line):
    def __init__(self, device="cpu"):
        super().__init__(device)
        self.y = self.y + hash("a name") % 10_007 / 10_007


class Relative(Line):
    def loss(self, params, split, index):
        losses = super().loss(params, split, index)
        return losses - 0.01 * losses.nan_to_num(1e6, 1e6).clamp(max=1e6).mean()


class Broken(Line):
    def loss(self, params, split, index):
        raise RuntimeError("no data")
"""


@pytest.fixture
def tasks(tmp_path: Path) -> str:
    return str(task_file(tmp_path, LINE + SUBCLASSES))


def trial(name: str) -> tuple[Report, dict[str, bool]]:
    """The report of a task, and for each finding whether it is broken."""
    report = same_bits(subject_of(name))
    return report, {finding.name: finding.broken for finding in report.findings}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "broken", "conclusion"),
    [
        ("Line", set(), "leave batch_invariant out"),
        ("Independent", set(), "batch_invariant = True in the class saves work"),
        ("Claims", {"losses and gradients"}, "batch_invariant = True is wrong"),  # "alone" too, on some CPUs
        ("Hashed", {"in another process"}, "other numbers each time it is loaded"),
        ("Relative", {"parts of the pack", "beside genomes that diverge"}, "depend on its own candidate alone"),
        ("Broken", {"all together"}, "gives the genomes of this trial no fitness: RuntimeError: no data"),
    ],
)
def test_what_a_trial_says_of_a_training_task(tasks: str, name: str, broken: set[str], conclusion: str) -> None:
    report, findings = trial(f"{tasks}:{name}")
    assert {found for found, is_broken in findings.items() if is_broken} >= broken
    assert report.broken == bool(broken)
    assert conclusion in report.conclusion


def test_products_show_more_than_whole_trainings(tasks: str) -> None:
    equal, compared = equal_rows(subject_of(f"{tasks}:Line").task())  # type: ignore[arg-type]
    assert equal < compared
    equal, compared = equal_rows(subject_of(f"{tasks}:Independent").task())  # type: ignore[arg-type]
    assert equal == compared == 135


TRACES = """
import gymnasium, numpy
from germline.evaluators.tasks.gym import GymnasiumTask

class Walk(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-9.0, 9.0, (2,), numpy.float32)
    action_space = gymnasium.spaces.Discrete(2)
    episodes = 0
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episodes += 1
        self.place, self.steps = self.np_random.random(2) + {trace}, 0
        return self.place.astype(numpy.float32), {{}}
    def step(self, action):
        self.steps += 1
        self.place = self.place + (0.1 if action else -0.1)
        return self.place.astype(numpy.float32), float(self.place[0]), self.steps == 5, False, {{}}

class Own(GymnasiumTask):
    name, clean = "own", True
    def make(self):
        return Walk()
"""


@pytest.mark.slow
def test_what_a_trial_says_of_an_environment_that_keeps_traces(tmp_path: Path) -> None:
    (tmp_path / "clean").mkdir()
    report, findings = trial(f"{task_file(tmp_path, TRACES.format(trace='self.episodes'))}:Own")
    assert findings["two episodes at a time"] and "reset has to remove their traces" in report.conclusion
    report, findings = trial(f"{task_file(tmp_path / 'clean', TRACES.format(trace='0'))}:Own")
    assert not any(findings.values()) and len(findings) == 7


@pytest.mark.slow
def test_what_a_trial_says_of_built_in_tasks_of_the_other_kinds() -> None:
    for name in ("nb201-cifar10", "gym:CartPole-v1"):
        subject = subject_of(name)
        assert not any(report.broken for report in (trial(subject) for trial in TRIALS) if report)


@pytest.mark.slow
def test_a_training_task_is_timed_and_its_headroom_estimated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headroom, "PLAN", KnobTuningPlan(trials=4, seeds=2, rounds=0))
    monkeypatch.setattr(headroom, "STEPS", 12)
    file = task_file(tmp_path, DIGITS)
    together, alone = (subject_of(f"{file}:{name}") for name in ("Perceptron", "Branching"))
    timed, estimated = measure_speed(together), headroom.estimate_headroom(together)
    assert timed is not None and "times as fast beside others" in timed.conclusion
    lines = {finding.name: finding.text for finding in timed.findings}
    assert lines["examples"] == "1,438 for training, 179 for validation, 179 held out"
    assert re.fullmatch(r"accuracy 0\.\d+, loss 2\.\d+ on the validation split", lines["untrained"])
    assert lines["candidates at once"] == "256"
    assert estimated is not None and not estimated.broken
    assert "4 trials of 12 steps of 32, then 6 seeds" in estimated.findings[0].text
    assert "standard deviations between seeds, by " in estimated.findings[1].text
    obstructed = measure_speed(alone)
    assert obstructed is not None and obstructed.findings[2].text.startswith("one after the other: it decides by")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('"heldout": ', '"test": '), "size or measure of the task fails for the split heldout: KeyError: 'heldout'"),
        (('return {"loss"', 'return {"loss": {}["x"]} if split == "heldout" else {"loss"'), "KeyError: 'x'"),
        (
            ("def size(self, split):", "def size(self, split):\n        {'heldout': quit}.get(split, int)()"),
            "SystemExit",
        ),
        (("slice(900, 1_000)", "slice(900, 900)"), "a whole number from 1 for the split heldout, got 0"),
    ],
    ids=["no size", "no measure", "exit", "empty"],
)
def test_a_held_out_split_that_cannot_be_used_is_told_before_a_search(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    text = LINE.replace(*change)
    assert text != LINE
    timed = measure_speed(subject_of(f"{task_file(tmp_path, text)}:Line"))
    assert timed is not None and timed.broken and says in timed.findings[0].text


@pytest.mark.slow
def test_a_task_may_declare_that_it_has_no_held_out_split(tmp_path: Path) -> None:
    text = LINE.replace('"heldout": ', '"test": ').replace('    name = "line"\n', '    name, heldout = "line", False\n')
    timed = measure_speed(subject_of(f"{task_file(tmp_path, text)}:Line"))
    assert timed is not None and not timed.broken
    assert timed.findings[0].text == "800 for training, 100 for validation, none held out"


def test_headroom_is_in_standard_deviations_between_seeds() -> None:
    losses = {"adamw": (3.0, 5.0), "muon": (1.0, 3.0), "lion": (2.0, 4.0), "sgd_momentum": (math.inf, 1.0)}
    results = {name: headroom.Tuned(values) for name, values in losses.items()}
    assert headroom.headroom_of(results) == pytest.approx(math.sqrt(2))
    assert headroom.headroom_of(results | {"adamw": headroom.Tuned((math.inf, 1.0))}) is None
