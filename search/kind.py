"""A kind of genome: everything that differs between searching optimizers, architectures and policies."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from germline.evaluators.outcome import Objective
from germline.programs.space import Space
from germline.search.loop import LoopSettings
from germline.search.proposers.asking import Cap
from germline.search.proposers.names import LLM, shares, short_name
from germline.search.proposers.settings import LanguageModelSettings
from germline.search.settings import BadSetting, RunSettings, Setting, check, from_config, resolve, settable
from germline.search.strategies.outside import OutsideOperators
from germline.search.strategy import Strategy

S = TypeVar("S", bound=RunSettings)
G = TypeVar("G")


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of values that replace defaults, with the budget (`births`) and the task of searches that name no
    other; `task` None means the kind's default task."""

    description: str
    values: Mapping[str, Any]
    births: int
    task: str | None = None


class Kind(ABC, Generic[S, G]):
    """One kind of genome, with settings of class `S` and genomes of type `G`.

    Attributes:
        name: the name on the command line and in the database.
        genome_version: number that changes when the meaning of genomes or of their fingerprints does; a run is resumed
            only under the version that it began with.
        default_task: the task of a search without `--task`.
        settings_class: the dataclass of a run's settings.
        presets: named sets of values.
        strategies: a factory for each value of the setting `strategy`. It returns the strategy for a run's
            settings and space, and raises BadSetting for settings that the strategy does not support.
        gpu_pack: for a run that is created for a GPU and does not set `pack`: a pack is a whole block, but at most this
            many genomes, or as many as `largest_gpu_pack` says. None: packs are as on a CPU.
        own_operators: names in the setting `operators` that are of the kind; all others are from outside.
        score_settings: names of settings that decide what is scored, such as the length of a training. Scores of runs
            that differ in them are not compared.
    """

    name: str
    genome_version: int
    default_task: str
    settings_class: type[S]
    presets: Mapping[str, Preset]
    strategies: Mapping[str, Callable[[S, Any], Strategy[Any]]]
    gpu_pack: int | None = None
    own_operators: tuple[str, ...] = ()
    score_settings: tuple[str, ...] = ()

    @property
    def settable(self) -> tuple[Setting, ...]:
        """The settings that `--set` takes."""
        return settable(self.settings_class)

    def resolve(self, preset: Mapping[str, Any], assignments: Sequence[str]) -> S:
        """The settings from `key=value` assignments over a preset's values, not yet prepared for a task.

        Raises:
            BadSetting: an assignment has no `=`, an unknown key or a value that the setting does not take.
        """
        return resolve(self.settings_class, preset, assignments)

    def from_config(self, config: Mapping[str, Any]) -> S:
        """The settings from the entry `settings` of a run's config, which another version may have written: a missing
        key gets its default, and an unknown key is ignored.

        Raises:
            BadSetting: a value that this version does not take.
        """
        settings = from_config(self.settings_class, config)
        check(settings)
        return settings

    @abstractmethod
    def prepare(self, settings: S, task: Any) -> S:
        """The complete settings of a new run on a task (a class).

        Reads, once, everything that comes from a file, a clock or the task, so that the run depends on its config
        alone.

        Raises:
            BadSetting: the settings do not fit the task or each other.
        """

    def check_task(self, settings: S, task: Any) -> None:
        """Checks that a recorded run can go on with its task (a class), whose code may have changed.

        Raises:
            BadSetting: it cannot; the message says why.
        """
        return

    def largest_gpu_pack(self, task: Any, memory: int | None) -> int | None:
        """The most genomes of a pack of a run on a task (a class) that is created for a GPU and does not set `pack`;
        None: packs are as on a CPU.

        Args:
            task: the class of the task.
            memory: bytes of the GPU; None: it is that of another machine.
        """
        return self.gpu_pack

    def calibrated(self, settings: S, task_name: str, seed: int, device: str) -> S:
        """The settings that `prepare` returned, with what has to be measured by trainings before the run begins.

        Args:
            task_name: the full name of the run's task.
            seed: of the run.
            device: `auto`, `cpu` or `cuda`: where the run begins.

        Raises:
            BadSetting: what is measured makes no sense, or settings do not fit several tasks.
        """
        return settings

    @abstractmethod
    def space(self, settings: S) -> Space[G]:
        """The genomes that a run with these settings may have, and how they vary.

        Raises:
            BadSetting: the settings leave no genome, such as limits that no architecture meets.
        """

    def strategy(self, settings: S, space: Space[G]) -> Strategy[Any]:
        """The strategy of a run over its space.

        Raises:
            BadSetting: the strategy does not support these settings.
        """
        if settings.strategy not in self.strategies:
            raise BadSetting(f"expected strategy to be one of {', '.join(self.strategies)}, got {settings.strategy!r}")
        strategy = self.strategies[settings.strategy](settings, space)
        asked = {short_name(name): share for name, share in shares(settings.operators, self.own_operators).items()}
        if not asked:
            return strategy
        if settings.strategy in ("random", "constants", "openai-es", "sep-cma-es"):
            raise BadSetting(
                f"expected a strategy that varies parents for the operator {next(iter(asked))}, got "
                f"{settings.strategy}; leave the operator out"
            )
        return OutsideOperators(strategy, asked, self.replaced_operators(settings) or None, self.first_asked(settings))

    def replaced_operators(self, settings: S) -> tuple[str, ...]:
        """The kind's operators whose children may be asked of an operator from outside; empty: all."""
        return self.own_operators

    def first_asked(self, settings: S) -> int:
        """The first birth for which an operator from outside may be asked."""
        return 0

    def language(self, settings: S) -> str:
        """How genomes are written, for an operator from outside; made from the tables of the language."""
        return ""

    def caps(self, settings: S) -> dict[str, Cap]:
        """Limits on what operators from outside may use in a run, by name."""
        return (
            {LLM: Cap(settings.llm_calls, settings.llm_tokens)} if isinstance(settings, LanguageModelSettings) else {}
        )

    def strategy_version(self, settings: S) -> int:
        """A number that changes when a strategy with these settings breeds or selects otherwise."""
        return 1

    def scoring_version(self, settings: S, task: Any) -> int:
        """The scoring version (see `SCORING_VERSION`) of a run with these settings on a task (a class)."""
        return 2

    @abstractmethod
    def evaluator_options(self, settings: S) -> dict[str, Any]:
        """Options of the evaluator that scores a run's genomes, as plain data."""

    def objectives(self, settings: S, task: Any) -> Sequence[Objective]:
        """The objectives of an ok outcome on a task (a class); the first makes the fitness."""
        return tuple(task.objectives)

    def required_measures(self, settings: S, task: Any) -> Sequence[str]:
        """The measures without which the strategy cannot use an ok outcome on a task (a class)."""
        return ()

    @abstractmethod
    def loop_settings(self, settings: S, seed: int) -> LoopSettings:
        """The settings of the block loop, for a run's seed."""

    @abstractmethod
    def describe(self, text: str, settings: S | None, **size: Any) -> dict[str, Any]:
        """Facts of a genome for `germline describe`: its kind, its fingerprint and its size.

        Args:
            text: the genome.
            settings: the settings of its run; None without a run.
            size: of an architecture, `channels`, `cells`, `classes` or `image` in place of the run's.

        Raises:
            ValueError: the text is not a genome of this kind.
            BadSetting: a size is given for a kind that has none.
        """

    @abstractmethod
    def in_full(self, settings: S, task: Any) -> S:
        """The settings for validating a genome on a task (a class): in full size, without the smaller proxy of a
        search."""

    @abstractmethod
    def baseline(self, text: str, settings: S) -> tuple[str, str, S]:
        """The baseline that a genome is compared with in a validation: its label, its genome as text, and its
        settings."""
