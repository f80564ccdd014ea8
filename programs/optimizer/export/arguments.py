"""The constructor's arguments of an exported optimizer: the constants of its program, named as the field names them."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from germline.programs.export.names import RESERVED
from germline.programs.optimizer.export.names import AUTOMATIC
from germline.programs.optimizer.export.patterns import Patterns
from germline.programs.optimizer.export.roles import Constant, constants
from germline.programs.optimizer.export.signs import Place
from germline.programs.optimizer.program import Program
from germline.programs.optimizer.text import write_statement

_WORDS = {
    ("clip", 1): "max_norm",
    ("power", 0): "base",
    ("power", 1): "exponent",
    ("greater", 0): "threshold",
    ("greater", 1): "threshold",
    ("max", 0): "floor",
    ("max", 1): "floor",
    ("min", 0): "ceiling",
    ("min", 1): "ceiling",
    ("modulo", 1): "period",
    ("interp", 2): "mix",
    ("*", 0): "scale",
    ("*", 1): "scale",
    ("/", 1): "divisor",
    ("+", 0): "shift",
    ("+", 1): "shift",
    ("-", 0): "shift",
    ("-", 1): "shift",
}

_SPOKEN = {"floor": "min_{}", "ceiling": "max_{}", "scale": "{}_scale"}
"""Names of arguments that belong to a value to which the program's author gave a name that says something."""

_MEANINGS = {
    "beta2_decay": "exponent of the step count in one minus the decay of moving averages; ",
    "initial_accumulator_value": "where a sum over all steps starts; ",
    "trust_coefficient": "factor of the ratio of lengths; ",
    "min_scale": "least scale of the step of a parameter; ",
    "alpha": "weight of one moving average beside another; ",
    "period": "period in steps; ",
    "total_steps": "number of steps of the training, set it to yours; ",
}
"""What an argument of a name is, before the line that reads it."""


@dataclass(frozen=True)
class HyperParameter:
    """An argument of the constructor.

    Attributes:
        name: of the argument; `betas` is a tuple.
        variables: what it is called in the code: a variable for each number.
        values: the default of each.
        range: `decay` for [0, 1), `nonnegative`, `nonpositive`, `count` for steps, at least 1, or `free` for any
            finite number.
        meaning: what it does, for the docstring.
        places: where each stands in the program.
        meanings: what each number does, if there are several.
    """

    name: str
    variables: tuple[str, ...]
    values: tuple[float, ...]
    range: str
    meaning: str
    places: tuple[tuple[Place, ...], ...]
    meanings: tuple[str, ...] = ()

    @property
    def default(self) -> float | tuple[float, ...]:
        """The default of the argument."""
        if self.range == "count":
            return int(self.values[0])
        return self.values if self.name == "betas" else self.values[0]


def hyper_parameters(program: Program, fixed: Collection[Place]) -> tuple[HyperParameter, ...]:
    """The arguments of a program without dead statements, in the order of the signature.

    Args:
        program: a valid program.
        fixed: places of literals that belong to the learning rate.
    """
    literals = [constant for constant in constants(program, fixed) if constant.role != "structural"]
    decays = [c for c in literals if c.role == "decay" and c.state is not None and _is_tree(program, c)]
    momenta = [c for c in literals if c.role == "momentum"]
    result = _decays(program, _in_order(decays), bool(momenta))
    result += _numbered("momentum", momenta, "nonnegative", lambda c: f"momentum of `{_state(program, c)}`")
    patterns = Patterns(program)
    numbers = [c for c in literals if c.role == "decay" and c.state is not None and c not in decays]
    thresholds = [c for c in numbers if patterns.is_compared(c.places[0][0])]
    lengths = [c for c in numbers if c not in thresholds]
    for name, same in (("gamma", lengths), ("theta", thresholds)):
        result += _numbered(name, same, "decay", lambda c: _decay(program, c))
    others = [c for c in literals if c.role == "decay" and c.state is None]
    result += _numbered("decay", others, "decay", lambda c: _number(program, c))
    epsilons = [c for c in literals if c.role == "epsilon"]
    result += _numbered("eps", epsilons, "nonnegative", lambda c: _epsilon(program, c))
    weight_decays = [c for c in literals if c.role == "weight decay"]
    result += _numbered("weight_decay", weight_decays, "nonnegative", _weight_decay)
    scales = [c for c in literals if c.role == "scale" and not patterns.is_extrapolation(c.places[0])]
    extrapolations = [c for c in literals if c.role == "scale" and c not in scales]
    for k, constant in enumerate(extrapolations, len(decays) + 1):
        result.append(_one(f"beta{k}", constant, "free", _number(program, constant)))
    words = [_word(program, patterns, c) for c in scales]
    for word, range_ in dict.fromkeys(words):
        same = [c for c, own in zip(scales, words, strict=True) if own == (word, range_)]
        result += _numbered(word, same, range_, lambda c, word=word: f"{_MEANINGS.get(word, '')}{_number(program, c)}")
    return tuple(_unique(result))


def _word(program: Program, patterns: Patterns, constant: Constant) -> tuple[str, str]:
    """The name of an argument without a role, and its range."""
    place = constant.places[0]
    word = _WORDS.get((program.body[place[0]].function, place[1]), "constant")
    if patterns.is_decay_exponent(place):
        return "beta2_decay", "nonpositive"
    if patterns.is_initial_sum(place) and constant.value > 0:
        return "initial_accumulator_value", "nonnegative"
    if patterns.is_trust(place):
        return "trust_coefficient", "free"
    if patterns.is_smallest_scale(place) and constant.value > 0:
        return "min_scale", "nonnegative"
    if patterns.is_mixture(place):
        return "alpha", "free"
    if (state := patterns.initial_state(place)) is not None:
        return f"{state}0", "nonnegative"
    if patterns.is_count(place):
        return word, "count"
    if patterns.is_total_steps(place):
        return "total_steps", "count"
    name = patterns.spoken_name(place) if word in _SPOKEN else None
    spoken = word if name is None else _SPOKEN[word].format(name)
    # `max_momentum` would be changed by OneCycleLR.
    return (word if spoken in RESERVED else spoken), "free"


def _in_order(decays: list[Constant]) -> list[Constant]:
    """Decays as papers number them: of the first average of gradients, of averages of squares, then of other averages
    of gradients, as in AdEMAMix."""
    first = next((c.state for c in decays if c.signed), None)
    return sorted(decays, key=lambda c: 1 if not c.signed else 0 if c.state == first else 2)


def variables(arguments: Collection[HyperParameter]) -> Mapping[Place, str]:
    """The variable at each place of a program."""
    return {
        place: name
        for argument in arguments
        for name, places in zip(argument.variables, argument.places, strict=True)
        for place in places
    }


def _decays(program: Program, decays: list[Constant], has_momentum: bool) -> list[HyperParameter]:
    """The decays of moving averages of trees: `betas` if there are several, unless all are averages of squares, whose
    decays no scheduler may cycle as a momentum."""
    if len(decays) > 1 and not any(c.signed for c in decays):
        return _numbered("alpha", decays, "decay", lambda c: _decay(program, c))
    if len(decays) > 1:
        return [
            HyperParameter(
                "betas",
                tuple(f"beta{k + 1}" for k in range(len(decays))),
                tuple(c.value for c in decays),
                "decay",
                _decays_of(program, decays),
                tuple(c.places for c in decays),
                tuple(_decay(program, c) for c in decays),
            )
        ]
    if not decays:
        return []
    signed = decays[0].signed
    name = ("beta" if has_momentum else "momentum") if signed else "alpha"
    return [_one(name, decays[0], "decay", _decay(program, decays[0]))]


def _one(name: str, constant: Constant, range_: str, meaning: str) -> HyperParameter:
    return HyperParameter(name, (name,), (constant.value,), range_, meaning, (constant.places,))


def _numbered(name: str, same: list[Constant], range_: str, meaning: object) -> list[HyperParameter]:
    """Arguments of one name, which are numbered if there are several."""
    assert callable(meaning)
    names = [name] if len(same) == 1 else [f"{name}{k + 1}" for k in range(len(same))]
    return [_one(own, constant, range_, meaning(constant)) for own, constant in zip(names, same, strict=True)]


def _unique(arguments: list[HyperParameter]) -> list[HyperParameter]:
    """The arguments, with a number where two have one name."""
    count: Counter[str] = Counter()
    result = []
    for argument in arguments:
        count[argument.name] += 1
        if count[argument.name] > 1:
            name = f"{argument.name}_{count[argument.name]}"
            argument = HyperParameter(name, (name,), argument.values, argument.range, argument.meaning, argument.places)
        result.append(argument)
    return result


def _epsilon(program: Program, constant: Constant) -> str:
    functions = {program.body[i].function for i, _ in constant.places}
    if functions == {"max"}:
        return "least value of what is divided by, so that it is not zero"
    if "max" in functions:
        return "added to what is divided by, or its least value, so that it is not zero"
    return "added to what is divided by, so that it is not zero"


def _weight_decay(constant: Constant) -> str:
    kind = "decoupled weight decay" if constant.decoupled else "weight decay, which is added to the gradient"
    kind = "weight decay, which the states see" if constant.seen else kind
    return f"{kind}: how much of a parameter goes into the update"


def _is_tree(program: Program, constant: Constant) -> bool:
    assert constant.state is not None
    return program.states[constant.state].shape not in ("leaf", "scalar")


def _state(program: Program, constant: Constant) -> str:
    return program.states[constant.state or 0].name


def _decay(program: Program, constant: Constant) -> str:
    kind = "running maximum" if _is_of_maximum(program, constant) else "moving average"
    return f"decay of the {kind} `{_average(program, constant)}`"


def _decays_of(program: Program, decays: list[Constant]) -> str:
    """What several decays are, in one phrase."""
    kinds = {"moving average": [c for c in decays if not _is_of_maximum(program, c)]}
    kinds["running maximum"] = [c for c in decays if _is_of_maximum(program, c)]
    phrases = []
    for kind, own in kinds.items():
        if own:
            plural = kind if len(own) == 1 else {"moving average": "moving averages"}.get(kind, "running maxima")
            phrases.append(f"the {plural} {', '.join(f'`{_average(program, c)}`' for c in own)}")
    return f"decays of {' and '.join(phrases)}"


def _is_of_maximum(program: Program, constant: Constant) -> bool:
    """True for the decay of a running maximum: it multiplies the state."""
    return any(program.body[i].function == "*" for i, _ in constant.places)


def _average(program: Program, constant: Constant) -> str:
    """The name of what a decay belongs to: of an average that of its statement, if its author gave it one; else that of
    the state."""
    target = program.body[constant.places[0][0]].target
    of_state = AUTOMATIC.fullmatch(target) or _is_of_maximum(program, constant)
    return _state(program, constant) if of_state else target


def _number(program: Program, constant: Constant) -> str:
    """A number and the first line that it stands in."""
    return f"the {constant.value!r} of `{write_statement(program.body[constant.places[0][0]])}`"


def ranges(arguments: Collection[HyperParameter]) -> Mapping[str, str]:
    """The range of each variable."""
    return {name: argument.range for argument in arguments for name in argument.variables}
