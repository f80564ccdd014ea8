"""The kind `optimizer`: update rules as programs, scored by training with them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from germline.programs.optimizer import InvalidProgram, Program, library, parse, trace, write
from germline.programs.optimizer.fingerprint import FINGERPRINT_VERSION, fingerprint
from germline.programs.optimizer.library import library_text
from germline.programs.optimizer.space import OptimizerSpace
from germline.programs.space import Space
from germline.search.kind import Kind, Preset, Values
from germline.search.loop import Plan
from germline.search.settings import BadSetting, Setting, any_text, choice, positive, positives, share, weights, whole
from germline.search.strategies.aging import AgingEvolution
from germline.search.strategies.funnel import Funnel
from germline.search.strategies.random_search import RandomSearch
from germline.search.strategy import Strategy

if TYPE_CHECKING:
    from germline.evaluators.task import Task

OPERATORS = ("insert", "delete", "modify", "tune", "rate")
CONSTANTS_ONLY = {"tune": 1.0}

SETTINGS = (
    Setting("strategy", "aging", choice("aging", "random", "constants"), "aging evolution, or a baseline"),
    Setting("start", "adamw_plain", any_text, "start program: a name of the library, or a file"),
    Setting("functions", "core", choice("core", "extended"), "the paper's 45 functions, or the extended set"),
    Setting("max_statements", 100, whole(1), "insert grows no program beyond this"),
    Setting("population", 300, whole(2), "individuals that live at a time"),
    Setting("tournament", 3, whole(1), "individuals drawn to find a parent"),
    Setting("operators", {"insert": 1.0, "delete": 1.0, "modify": 1.0}, weights(*OPERATORS), "operator weights"),
    Setting("warmup", 0, whole(), "first births that tune constants only"),
    Setting("litter", 1, whole(1), "births for each new structure: itself and siblings with other constants"),
    Setting("siblings", {"tune": 1.0, "rate": 1.0}, weights("tune", "rate"), "how siblings differ"),
    Setting("patience", 0, whole(), "births without a gain before a restart; 0: never"),
    Setting("restart", "best", choice("start", "best", "alternate"), "what a restart begins with"),
    Setting("lengths", [1.0], positives, "replicates: one training each, for that multiple of the rung's steps"),
    Setting("hurdle", 0.0, share, "share of the training after which the worst leave; 0: never"),
    Setting("passing", 0.75, share, "share of the population that would pass its children's hurdle"),
    Setting("review_rung", 1, whole(1), "longer rung at which every new best is scored again"),
    Setting("review_seeds", 3, whole(1), "fresh seeds at rung 0 with which every new best is scored again"),
    Setting("review_every", 0, whole(), "births between reviews of the best; 0: none"),
    Setting("block", 64, whole(1, 100_000), "births in a block"),
    Setting("depth", 1, whole(0, 8), "blocks in flight beyond the one that is scored"),
    Setting("pack", 16, whole(1, 100_000), "programs trained together"),
    Setting("max_failures", 50, whole(1), "the search stops when so many scorings in a row failed"),
    Setting("timeout", 600.0, positive, "seconds for a pack at rung 0 before its worker is replaced (Ray only)"),
)

PRESETS = {
    "quick": Preset(
        "a real result in minutes on two cores: a tuned start, mixed operators, two lengths of training, reviews",
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


class BadStart(ValueError):
    """The start program cannot be read, or is not a valid program."""


def read_start(start: str) -> str:
    """The text of a start program: a name of the library, or a file.

    Raises:
        ValueError: there is no such program or file, or its text is not a valid program.
    """
    if start in library():
        return library_text(start)
    path = Path(start)
    if not path.is_file():
        # Most likely a misspelt name of the library, and that error suggests the nearest.
        return library_text(start.removeprefix("library:"))
    try:
        text = path.read_text(encoding="utf-8")
        trace(parse(text))
    except OSError as error:
        raise BadStart(f"cannot read the start program {start} ({error.strerror})") from None
    except UnicodeDecodeError:
        raise BadStart(f"expected a text file as the start program, got bytes that are not UTF-8: {start}") from None
    except InvalidProgram as invalid:
        raise BadStart(f"the start program {start} is not valid: {invalid}") from None
    return text


def _prepare(values: Values, task: "type[Task]") -> dict[str, Any]:
    litter = values["litter"]
    if values["block"] % litter or values["warmup"] % litter:
        raise BadSetting(
            f"expected block and warmup to be multiples of litter ({litter}), got {values['block']} and "
            f"{values['warmup']}: a litter is born in one block"
        )
    return {**values, "start": write(parse(read_start(values["start"])))}


def _space(values: Values) -> OptimizerSpace:
    return OptimizerSpace(parse(values["start"]), values["functions"], values["max_statements"])


def _strategy(values: Values, space: Space[Program]) -> Strategy[Any]:
    start = values["start"]
    key = space.fingerprint(space.read(start))
    if values["strategy"] == "random":
        return RandomSearch(start, key)
    constants = values["strategy"] == "constants"
    aging = AgingEvolution(
        start,
        key,
        population=values["population"],
        tournament=values["tournament"],
        operators=CONSTANTS_ONLY if constants else values["operators"],
        warmup=0 if constants else values["warmup"],
        warmup_operators=CONSTANTS_ONLY,
        litter=1 if constants else values["litter"],
        sibling_operators=values["siblings"],
        patience=values["patience"],
        restart=values["restart"],
        passing=values["passing"] if values["hurdle"] else 1.0,
    )
    if not values["review_every"]:
        return aging
    return Funnel(aging, values["review_rung"], values["review_every"], values["review_seeds"])


def _options(values: Values) -> dict[str, Any]:
    return {"lengths": tuple(values["lengths"]), "hurdle": values["hurdle"]}


def _plan(values: Values, seed: int) -> Plan:
    names = ("block", "depth", "pack", "max_failures")
    return Plan(seed=seed, **{name: values[name] for name in names})


def describe(text: str, values: Values, **asked: Any) -> dict[str, Any]:
    """Counts and the fingerprint of a program text.

    Raises:
        InvalidProgram: the text is not a valid program.
        BadSetting: something is asked that is of architectures.
    """
    if asked:
        raise BadSetting(f"expected no {', '.join(asked)} for an optimizer program: these are of architectures")
    program = parse(text)
    graph = trace(program)
    return {
        "kind": "optimizer",
        "fingerprint": fingerprint(graph),
        "statements": len(program.body),
        "live": len(graph.live_statements),
        "states": len(program.states),
        "constants": len(program.constants),
        "live_states": [program.states[k].name for k in graph.live_states],
        "functions": sorted({program.body[i].function for i in graph.live_statements}),
    }


def _in_full(values: Values, task: "type[Task]") -> Values:
    return values


def _baseline(text: str, values: Values) -> tuple[str, str, Values]:
    return "start program", values["start"], values


KIND: Kind[Program] = Kind(
    name="optimizer",
    genome_version=FINGERPRINT_VERSION,
    default_task="digits-mlp",
    settings=SETTINGS,
    presets=PRESETS,
    prepare=_prepare,
    space=_space,
    strategy=_strategy,
    options=_options,
    plan=_plan,
    describe=describe,
    in_full=_in_full,
    baseline=_baseline,
)
