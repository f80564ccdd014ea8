"""The kind `optimizer`: update rules as programs, scored by training with them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from germline.evaluators.evaluator import BY_COLUMNS_VERSION, SCORING_VERSION
from germline.evaluators.tasks.name_grammar import names_of
from germline.programs.optimizer import Program, parse, trace, write
from germline.programs.optimizer.card import card
from germline.programs.optimizer.fingerprint import FINGERPRINT_VERSION, fingerprint
from germline.programs.optimizer.idioms import IDIOMS
from germline.programs.optimizer.primitives import FUNCTION_SETS
from germline.programs.optimizer.space import OptimizerSpace
from germline.search.kind import Kind, Preset
from germline.search.kinds.optimizer_programs import donor_programs, is_core, island_programs, read_start
from germline.search.kinds.optimizer_strategies import OPERATORS, STRATEGIES, OptimizerSettings
from germline.search.loop import LoopSettings
from germline.search.proposers.names import shares
from germline.search.settings import BadSetting

if TYPE_CHECKING:
    from germline.evaluators.task import Task


PRESETS = {
    "quick": Preset(
        "a real result in minutes on two cores: a warm-up of constants, mixed operators, two training lengths, reviews",
        {
            "population": 100,
            "tournament": 3,
            "operators": {"insert": 1.0, "delete": 1.0, "modify": 2.0, "tune": 3.0},
            "warmup": 512,
            "lengths": [0.5, 3.0],
            "review_every": 256,
        },
        births=3_000,
    ),
    "discover": Preset(
        "hours on two cores: three tasks, islands, all operators, tuned constants, updates that keep their size",
        {
            "strategy": "islands",
            "start": "soap",
            "islands": ["nadamw", "muon"],
            "functions": "whitening",
            "population": 50,
            "task_hurdle": 0.5,
            "tournament": 3,
            "operators": {
                "insert": 0.5,
                "delete": 1.0,
                "modify": 1.0,
                "tune": 2.0,
                "replace": 1.0,
                "wrap": 3.0,
                "unwrap": 1.0,
                "idiom": 1.0,
                "graft": 1.0,
                "cross": 0.5,
            },
            "donors": ["population", "library"],
            "migrate_every": 512,
            "keep_size": "on",
            "tune_every": 4,
            "review_every": 1_024,
        },
        births=10_000,
        task="digits-mlp+mnist5k-autoencoder+text-transformer",
    ),
    "paper": Preset(
        "Chen et al. 2023: population 1000, tournament 2, three operators, restart from the best on a plateau",
        {
            "population": 1000,
            "tournament": 2,
            "max_statements": 1000,
            "patience": 300_000,
            "restart": "best",
            "block": 256,
            "pack": 32,
        },
        births=300_000,
    ),
}


def _functions_of(idioms: Sequence[str]) -> str:
    """The smallest set of functions that has those of an idiom."""
    return next(
        name
        for name, functions in FUNCTION_SETS.items()
        if any(IDIOMS[each].functions <= {*functions} for each in idioms)
    )


class OptimizerKind(Kind[OptimizerSettings, Program]):
    """Update rules as programs."""

    name = "optimizer"
    genome_version = FINGERPRINT_VERSION
    default_task = "digits-mlp"
    settings_class = OptimizerSettings
    presets = PRESETS
    strategies = STRATEGIES
    gpu_pack = 1_024
    own_operators = OPERATORS
    score_settings = ("lengths",)

    def resolve(self, preset: Mapping[str, Any], assignments: Sequence[str]) -> OptimizerSettings:
        """As `Kind.resolve`. If `operators` names only some from outside, the preset's own operators stay."""
        settings = super().resolve(preset, assignments)
        if set(settings.operators) & set(OPERATORS):
            return settings
        own = preset.get("operators", OptimizerSettings().operators)
        return replace(settings, operators={**own, **settings.operators})

    def largest_gpu_pack(self, task: "type[Task]", memory: int | None) -> int | None:
        """As `Kind.largest_gpu_pack`: as many as fit the memory, if it is known."""
        if memory is None:
            return self.gpu_pack
        from germline.evaluators.optimizer.pack_memory import largest_pack  # here, since it needs torch

        return largest_pack(task, memory) or self.gpu_pack

    def prepare(self, settings: OptimizerSettings, task: "type[Task]") -> OptimizerSettings:
        if settings.block % settings.litter or settings.warmup % settings.litter:
            raise BadSetting(
                f"expected block and warmup to be multiples of litter ({settings.litter}), got {settings.block} and "
                f"{settings.warmup}: a batch of constant variants is born in one block"
            )
        asked, replaced = shares(settings.operators, OPERATORS), self.replaced_operators(settings)
        if asked and not set(settings.operators) & set(replaced):
            raise BadSetting(
                f"expected litter=1, or weights of {' or '.join(replaced)}, with the operator {next(iter(asked))}, got "
                f"litter={settings.litter}: a structure that is born with variants is asked of no operator from outside"
            )
        start = parse(read_start(settings.start))
        if settings.functions == "core" and (start.progress or start.loss):
            raise BadSetting(
                "expected a start program without the inputs progress and loss in a search with core functions; "
                "use --set functions=extended"
            )
        settings = replace(
            settings,
            start=write(start),
            donor_programs=donor_programs(settings.donors, settings.functions),
            island_programs=island_programs(settings.islands, settings.functions),
        )
        if settings.tune_every and settings.block < 4 * settings.tune_every:
            raise BadSetting(
                f"expected a block of at least {4 * settings.tune_every} births, four for a generation of the tuning, "
                f"got block={settings.block} with tune_every={settings.tune_every}"
            )
        if settings.tune_every and settings.litter > 1 and settings.tune_every % settings.litter:
            raise BadSetting(
                f"expected tune_every to be a multiple of litter ({settings.litter}), got {settings.tune_every}: the "
                "first of a batch of variants is no birth of the tuning"
            )
        if (settings.strategy == "islands") != bool(settings.islands):
            raise BadSetting(
                f"expected strategy=islands together with islands=NAME,..., got strategy={settings.strategy} and "
                f"islands={','.join(settings.islands) or 'none'}"
            )
        if len(settings.islands) >= settings.block:
            raise BadSetting(f"expected a block of more births than {len(settings.islands)}, got {settings.block}")
        if settings.strategy == "front" and "tasks" in settings.front and not hasattr(task, "tasks"):
            raise BadSetting(
                f"expected several tasks (--task again) for front={','.join(settings.front)}, got {task.name}"
            )
        last = len(task.rungs) - 1
        if settings.review_every and settings.review_rung > last:
            raise BadSetting(
                f"expected review_rung to be a rung of {task.name}, at most {last}, got {settings.review_rung}: "
                "reviews train at a longer rung; add a Rung to the task, set review_rung, or use --set review_every=0"
            )
        space = self.space(settings)
        if "idiom" in settings.operators and not space.idioms:
            raise BadSetting(
                f"expected an idiom of {settings.functions} functions, got {', '.join(settings.idioms)}; use --set "
                f"functions={_functions_of(settings.idioms)}"
            )
        self.strategy(settings, space)
        return settings

    def calibrated(self, settings: OptimizerSettings, task_name: str, seed: int, device: str) -> OptimizerSettings:
        """Tunes the references of several tasks."""
        tasks = names_of(task_name)
        if len(tasks) == 1:
            return settings
        if settings.hurdle:
            raise BadSetting(
                f"expected hurdle=0 with several tasks, got {settings.hurdle:g}: losses of different tasks have no "
                "common threshold; use --set task_hurdle"
            )
        from germline.search.kinds.optimizer_reference import measured_references  # here, since it imports torch

        rung = settings.review_rung if settings.review_every else None
        return replace(settings, references=measured_references(tasks, settings.lengths, rung, seed, device))

    def space(self, settings: OptimizerSettings) -> OptimizerSpace:
        return OptimizerSpace(
            parse(settings.start),
            settings.functions,
            settings.max_statements,
            settings.max_states,
            settings.idioms,
            settings.keep_size == "on",
        )

    def strategy_version(self, settings: OptimizerSettings) -> int:
        """Version 2 where version 1 had faults: programs with tuned constants entered whichever island was next; with
        `litter` and no warm-up, the first batch had variants of a program that was not born; `keep_size` measured
        updates whose last bits depend on the machine."""
        tuned = settings.tune_every > 0 and settings.strategy == "islands"
        unborn = settings.litter > 1 and settings.warmup <= len(settings.islands)
        machine = settings.keep_size == "on" and settings.functions == "whitening"
        return 2 if tuned or unborn or machine else 1

    def scoring_version(self, settings: OptimizerSettings, task: "type[Task]") -> int:
        """Version 4 for programs that may have functions outside the core or states of other shapes than tree, leaf and
        scalar, 3 for a task that does not claim `batch_invariant`; else version 2, whose numbers are the same.
        """
        if settings.functions != "core" or not is_core(parse(settings.start)):
            return BY_COLUMNS_VERSION
        return 2 if task.batch_invariant else SCORING_VERSION

    def evaluator_options(self, settings: OptimizerSettings) -> dict[str, Any]:
        options = {"lengths": tuple(settings.lengths), "hurdle": settings.hurdle}
        if settings.references is None:
            return options
        return {**options, "references": settings.references, "margin": settings.task_hurdle}

    def replaced_operators(self, settings: OptimizerSettings) -> tuple[str, ...]:
        """All operators; with `litter` over 1 only those of `siblings`: the other children lead a batch, and an answer
        from outside cannot be bred again for its variants."""
        return OPERATORS if settings.litter == 1 else tuple(settings.siblings)

    def first_asked(self, settings: OptimizerSettings) -> int:
        return settings.warmup

    def language(self, settings: OptimizerSettings) -> str:
        return card(self.space(settings))

    def required_measures(self, settings: OptimizerSettings, task: "type[Task]") -> Sequence[str]:
        if settings.strategy != "front" or "tasks" not in settings.front:
            return ()
        return [f"{label}:gain" for label in getattr(task, "labels", ())]

    def loop_settings(self, settings: OptimizerSettings, seed: int) -> LoopSettings:
        return LoopSettings(seed, settings.block, settings.depth, settings.pack, settings.max_failures)

    def describe(self, text: str, settings: OptimizerSettings | None, **size: Any) -> dict[str, Any]:
        if size:
            raise BadSetting(f"expected no {', '.join(size)} for an optimizer program: these are of architectures")
        program = parse(text)
        graph = trace(program)
        return {
            "kind": self.name,
            "fingerprint": fingerprint(graph),
            "statements": len(program.body),
            "live": len(graph.live_statements),
            "states": len(program.states),
            "constants": len(program.constants),
            "live_states": [program.states[k].name for k in graph.live_states],
            "functions": sorted({program.body[i].function for i in graph.live_statements}),
        }

    def in_full(self, settings: OptimizerSettings, task: "type[Task]") -> OptimizerSettings:
        return replace(settings, references=None)  # several tasks are validated one by one

    def baseline(self, text: str, settings: OptimizerSettings) -> tuple[str, str, OptimizerSettings]:
        return "start program", settings.start, settings
