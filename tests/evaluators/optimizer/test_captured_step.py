"""A recorded step repeats what the step does, to the bit; what is not the same each time is not recorded."""

import gc
import logging
import weakref
from collections.abc import Iterator, Mapping
from functools import partial

import pytest
import torch
from reference_runs import START, mutants
from step_tape import StepTape
from torch import Tensor

from germline.evaluators import training_seeds
from germline.evaluators.hurdle import Hurdle
from germline.evaluators.optimizer import captured_step, trainer
from germline.evaluators.optimizer.captured_step import FIRST_STEPS, CapturedStep
from germline.evaluators.optimizer.schedule import Schedule
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.optimizer.trainer import train
from germline.evaluators.task import Rung, Split
from germline.evaluators.tasks import text_transformer
from germline.evaluators.tasks.digits_mlp import DigitsMLP
from germline.evaluators.tasks.norm import layer_norm_of_torch
from germline.evaluators.tasks.registry import task_class
from germline.programs.optimizer import Program, library, parse

RUNG = Rung(20, 8)
READS_ALL = (
    "def train(w, g, b: scalar, lr, step, progress, loss):\n  b = interp(loss, b, 0.5)\n"
    "  u = {} * 0.01 * b * lr * (step - progress)\n  return u, b\n"
)
NAMES = ("adamw", "ademamix", "hypergradient", "lion_raw", "muon", "prodigy", "schedule_free")
PROGRAMS = [
    *(parse(library()[name]) for name in NAMES),
    *(parse(READS_ALL.format(gradient)) for gradient in ("g", "orthogonalize(g)")),
    *mutants(4, seed=4),
]


@pytest.fixture
def tape(monkeypatch: pytest.MonkeyPatch) -> StepTape:
    """Records steps on the CPU from now on."""
    recorder = StepTape()
    monkeypatch.setattr(trainer, "recorder_for", lambda device: recorder)
    return recorder


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    torch.set_num_threads(1)
    captured_step._say.cache_clear()
    yield


def both(task: TrainingTask, programs: list[Program], **options: object) -> tuple[object, object]:
    """The results of a training with recorded steps, and of one with plain steps."""
    training = partial(train, task, programs, RUNG, (7, 1), curve_steps=(6, 20), **options)  # type: ignore[arg-type]
    return training(), training(recorded=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits-mlp", "mnist5k-conv", "text-transformer"])
def test_a_recorded_step_gives_the_bits_of_the_plain_loop(
    name: str, tape: StepTape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_seeds, "DRAWN_AT_ONCE", 7)  # the tables are filled again between replays
    monkeypatch.setattr(text_transformer, "layer_norm", layer_norm_of_torch)  # a tape sees operations of torch only
    task = task_class(name)("cpu")
    programs = PROGRAMS if name == "digits-mlp" else [PROGRAMS[place] for place in (0, 4, 7, 8, -1)]
    recorded, plain = both(task, programs, hurdle=Hurdle(0.5))
    assert recorded == plain
    assert tape.recorded >= 1 and tape.replayed >= RUNG.steps - (FIRST_STEPS * (tape.recorded + 1))


@pytest.mark.slow
def test_each_candidate_keeps_its_schedule_when_rows_leave(tape: StepTape) -> None:
    diverges = parse("def train(w, g, lr):\n  u = exp10(w) * 1e30\n  u = u * u\n  return u\n")
    programs = [diverges, START, diverges, START, diverges, START]
    schedules = [Schedule(), Schedule("linear"), Schedule(), Schedule("constant", 0.5), Schedule(), Schedule("linear")]
    recorded, plain = both(task_class("digits-mlp")("cpu"), programs, schedules=schedules)
    assert recorded == plain and tape.recorded == 2  # the buffers are others once rows have left
    assert plain[1] == plain[5] != plain[3] and plain[0].measures is None  # type: ignore[index]


class Counting(DigitsMLP):
    """Weighs its loss by the number of calls so far, which Python counts."""

    name = "counting"
    calls = 0

    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        self.calls += 1
        return super().loss(params, split, index) * (1.0 + 1.0 / self.calls)


class Waiting(DigitsMLP):
    """Looks at its loss on the host."""

    name = "waiting"

    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        losses = super().loss(params, split, index)
        return losses * 2.0 if float(losses.detach()[0]) > 2.0 else losses


class Drawing(DigitsMLP):
    """Adds noise to its loss."""

    name = "drawing"

    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        losses = super().loss(params, split, index)
        return losses * torch.rand(len(losses), generator=torch.Generator().manual_seed(1))


class Transferring(DigitsMLP):
    """Brings a number of the host to the device in each step."""

    name = "transferring"

    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        return super().loss(params, split, index) * torch.tensor([2.0])


@pytest.mark.parametrize(
    ("task", "cause"),
    [
        (Counting, "mul is called otherwise in each step"),
        (Waiting, "it waits for the device (_local_scalar_dense)"),
        (Drawing, "it draws random numbers (rand)"),
        (Transferring, "it reads numbers of the host (lift_fresh)"),
    ],
)
def test_what_cannot_be_repeated_is_launched_as_usual_and_said_once(
    task: type[DigitsMLP], cause: str, tape: StepTape, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        recorded = train(task("cpu"), [START], RUNG, (7, 1))
        train(task("cpu"), [START], RUNG, (7, 1))
    assert recorded == train(task("cpu"), [START], RUNG, (7, 1), recorded=False)
    assert (tape.recorded, tape.replayed) == (0, 0)
    (message,) = caplog.messages
    assert message.startswith(f"{task.name}: the steps of a training are launched one operation at a time")
    assert message.endswith(cause)


def test_a_recorder_that_fails_costs_nothing_but_speed(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(StepTape):
        def record(self, step: object) -> object:  # type: ignore[override]
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nand more")

    numbers = torch.zeros(1)
    step = CapturedStep("failing", "cpu", Failing())
    with caplog.at_level(logging.WARNING):
        for _ in range(6):
            step(lambda: numbers.add_(1.0))
    assert numbers.tolist() == [6.0] and not step.recorded
    assert step.obstacle == "RuntimeError: CUDA error: operation not permitted when stream is capturing"
    assert len(caplog.messages) == 1


def test_a_cpu_records_nothing() -> None:
    assert captured_step.recorder_for("cpu") is None


@pytest.mark.parametrize("recorder", [None, StepTape()])
def test_a_pack_is_freed_when_nobody_trains_with_it(recorder: StepTape | None) -> None:
    """By its references alone: a search lets the garbage collector run rarely, and buffers are large."""
    pack = trainer._Pack(task_class("digits-mlp")("cpu"), [START], RUNG, (0,), "cpu", recorder=recorder)
    for step in range(1, 7):
        pack.step(step)
    assert pack.captured.recorded == (recorder is not None)
    buffer = weakref.ref(pack.engine._bytecode)
    gc.disable()
    try:
        del pack
        assert buffer() is None
    finally:
        gc.enable()
