"""The protocol of a table of tuned baselines: what is measured, and with how much training."""

from dataclasses import dataclass

from germline.search.knob_tuning.tuning import KnobTuningPlan
from germline.search.tuned_comparison.compare import ComparisonPlan

YARDSTICK = "library:adamw"
"""The baseline whose tuned loss is the target of a task, and whose steps to it are a speed-up of 1."""
BASELINES = (YARDSTICK, "library:nadamw", "library:sgd_momentum", "library:lion", "library:muon")
"""The baselines of the package's table, and what `germline validate --against baselines` stands for."""
TASKS = (
    "diamonds-mlp",
    "digits-mlp",
    "digits-small-batch",
    "mnist5k-noisy",
    "digits-deep",
    "mnist5k-conv",
    "mnist5k-autoencoder",
    "text-conv",
    "text-gru",
    "text-transformer-deep",
    "text-transformer",
)
"""The tasks of the package's table: all that are built in for optimizers, in the order of what a training costs."""


@dataclass(frozen=True)
class Protocol:
    """How much is trained, the same for the baselines of a table and for whatever is placed among them: what `germline
    validate --against` does with so many `--trials` and `--seeds` at this one of the `--lengths`, at rung 0.

    Attributes:
        trials: sampled points of a tuning, the optimizer's own values first.
        tuning_seeds: seeds with which the best of them are trained again.
        rounds: most rounds of coordinate descent.
        length: of each training, as a multiple of the steps of rung 0.
        seeds: paired final seeds. Fifteen, so that eleven tasks at once can be significant after correction.
    """

    trials: int = 32
    tuning_seeds: int = KnobTuningPlan.seeds
    rounds: int = KnobTuningPlan.rounds
    length: float = 1.0
    seeds: int = 15

    @property
    def plan(self) -> ComparisonPlan:
        """The plan of a comparison by this protocol."""
        tuning = KnobTuningPlan(self.trials, self.tuning_seeds, self.rounds)
        return ComparisonPlan(tuning, (self.length,), self.seeds)

    def __str__(self) -> str:
        return f"{self.trials} trials and descent, length {self.length:g}, {self.seeds} fresh seeds"
