"""Searches for optimizers on several tasks at once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from own_tasks import LINE, task_file
from whole_runs import SESSION, last, lineage

from germline.db.records import RunRecord
from germline.db.store import Store
from germline.evaluators.errors import InvalidTask, UnconfirmedTask
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.optimizer.reference import BadReferences, Reference, references_from
from germline.evaluators.tasks.name_grammar import joined
from germline.evaluators.tasks.registry import confirmed_name, task_class
from germline.programs.optimizer import library
from germline.search.replay import replay
from germline.search.run import new_run
from germline.search.settings import BadSetting

SETTINGS = ("population=8", "block=8", "pack=4", "lengths=0.1", "warmup=0", "review_every=16", "task_hurdle=0.1")


def test_several_tasks_are_different_ones_for_optimizers_and_confirmed_if_any_must_be() -> None:
    with pytest.raises(UnconfirmedTask, match="add --task"):
        confirmed_name("digits-mlp+/tmp/own.py:Line")
    for names, message in (
        ("digits-mlp+digits-mlp", "different names"),
        ("digits-mlp+digits-cells", "digits-cells, which is for architecture"),
    ):
        with pytest.raises(InvalidTask, match=message):
            task_class(names)


def test_a_gain_is_in_units_and_by_its_logarithm_where_it_is_far_below() -> None:
    reference = Reference("", 1.0, {"0": [-2.0, -3.0], "1": [-1.0]}, {"0": 0.5, "1": 0.25})
    assert reference.gain(-1.5, 0, 0) == 1.0 and reference.gain(-3.5, 0, 1) == -1.0
    assert reference.gain(-2.5, 0, 7) == 0.0  # the mean of what is recorded
    assert reference.gain(-0.75, 1, 0) == 1.0 and reference.gain(-2.0, 2, 0) == 0.0
    assert -3.5 < reference.gain(-7.0, 0, 0) < -3.3  # 10 units: -1 - ln 10
    assert references_from([reference.data()], 1) == [reference]
    for damaged in (None, [], [{}], [{**reference.data(), "unit": {"0": 0.0, "1": 1.0}}]):
        with pytest.raises(BadReferences, match="start a new run"):
            references_from(damaged, 1)


@pytest.mark.slow
def test_the_fitness_is_the_mean_of_gains_and_the_hopeless_do_not_see_the_dear_task(tmp_path: Path) -> None:
    line = f"{task_file(tmp_path, LINE)}:Line"
    names, options = ("digits-mlp", line), {"lengths": (0.1,)}
    references = [Reference("", 2.0, {"0": [-2.0]}, {"0": 0.5}), Reference("", 1.0, {"0": [-200.0]}, {"0": 20.0})]
    data = [reference.data() for reference in references]
    evaluator = EvaluatorSpec("optimizer", joined(names), 1, "cpu", {**options, "references": data, "margin": 0.5})
    programs = [library()[name] for name in ("adamw", "lion", "sgd_momentum")]
    alone = [EvaluatorSpec("optimizer", name, 1, "cpu", options).build().score(programs, 0, 0) for name in names]
    built = evaluator.build()
    scored = built.score(programs, 0, 0)
    for place, outcome in enumerate(scored):
        gains = [
            each.gain(on_task[place].fitness or 0.0, 0, 0) for each, on_task in zip(references, alone, strict=True)
        ]
        assert outcome.fitness == outcome.objectives["gain"] == sum(gains) / 2
        # The line is the cheap task, though it is named last.
        assert outcome.measures["hurdle"] == -gains[1] == -outcome.measures["line:gain"]
        assert list(outcome.objectives) == ["gain", "digits-mlp:validation_loss", "line:validation_loss"]
        assert outcome.objectives["line:validation_loss"] == alone[1][place].objectives["validation_loss"]
    worst = max(outcome.measures["hurdle"] for outcome in scored)
    limited = built.score(programs, 0, 0, limit=worst - 0.51)
    for before, after in zip(scored, limited, strict=True):
        if before.measures["hurdle"] == worst:
            assert after.status == "rejected" and not any(name.startswith("digits") for name in after.measures)
        else:
            assert after.objectives == before.objectives


@pytest.mark.slow
def test_a_lineage_on_two_tasks_is_the_same_on_workers_and_after_a_kill(
    local_ray: None, store: Store, tmp_path: Path
) -> None:
    tasks = f"digits-mlp+{task_file(tmp_path, LINE)}:Line"

    def create() -> RunRecord:
        return new_run(store, settings=SETTINGS, births=32, seed=1, task=tasks)

    straight, workers, killed = create(), create(), create()
    assert straight.config == workers.config == killed.config  # the tuned references too
    last(store, straight, task=tasks, executor="inline")
    last(store, workers, task=tasks, executor="ray", workers=2)
    process = subprocess.Popen(
        [sys.executable, "-c", SESSION, str(tmp_path / "runs.db"), killed.name, tasks],
        stdout=subprocess.PIPE,
        env=os.environ,
    )
    assert process.stdout is not None and process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert store.run(killed.name).status == "interrupted"
    last(store, killed, task=tasks, executor="inline")
    assert lineage(store, straight) == lineage(store, workers) == lineage(store, killed)
    again = replay(store, straight.name)
    assert (again.births, again.difference) == (32, None)
    rejected = [each for each in store.evaluations(straight.id) if each.status == "rejected"]
    assert rejected and not any(name.startswith("digits-mlp") for each in rejected for name in each.measures)


def test_losses_of_several_tasks_have_no_hurdle_in_common(store: Store) -> None:
    with pytest.raises(BadSetting, match="use --set task_hurdle"):
        new_run(store, settings=("hurdle=0.3",), task="digits-mlp+text-transformer")
