"""The box of an optimizer program, and the program at a point of it: the same program with other constants.

| knob | range |
|---|---|
| rate | log-uniform, a hundredth to a hundred times its own |
| decay | of a program with weight decay: zero, or log-uniform from 1e-4 to 1 |
| beta of m, … | for each moving average or momentum 1 - β log-uniform, a tenth to ten times its own |
| warm-up | 0, 2, 5 or 10 % of the steps |
| schedule | after the warm-up half a cosine to 0, a line to 0, or constant |

The roles of constants are those of an export (`programs/optimizer/export/roles.py`).
"""

from dataclasses import dataclass, replace

from germline.evaluators.optimizer.schedule import SHAPES, Schedule
from germline.programs.export.names import numbered_name
from germline.programs.optimizer import Program, write
from germline.programs.optimizer.export.learning_rate import find_learning_rate
from germline.programs.optimizer.export.roles import constants
from germline.programs.optimizer.export.signs import Place
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.program import Statement
from germline.search.knob_tuning.knobs import Box, Choice, Point, Range

RATE_FACTOR = 100.0
DECAYS = (1e-4, 1.0)
BETA_FACTOR = 10.0
LEAST_BETA = 0.1
WARMUPS = (0.0, 0.02, 0.05, 0.1)


@dataclass(frozen=True)
class ProgramKnobs:
    """A live program and where its knobs stand.

    Attributes:
        program: the program without dead statements.
        box: its box: the rate first, the warm-up and the schedule last.
        rates: places that are multiplied when the rate changes; empty: the update is multiplied.
        places: for each knob between the rate and the warm-up, the places of its constant.
    """

    program: Program
    box: Box
    rates: tuple[Place, ...]
    places: tuple[tuple[Place, ...], ...]

    def at(self, point: Point) -> tuple[Program, Schedule]:
        """Returns the program and the schedule at a point of the box."""
        rate, *numbers, warmup, shape = point
        assert isinstance(rate, float) and isinstance(warmup, float) and isinstance(shape, str)
        default = self.box.knobs[0].default
        assert isinstance(default, float)
        new: dict[Place, float] = {}
        for places, number in zip(self.places, numbers, strict=True):
            assert isinstance(number, float)
            new |= dict.fromkeys(places, number)
        program = _scaled(self.program.with_numbers(new), self.rates, rate / default)
        return program, Schedule(SHAPES[shape], warmup)

    def training_at(self, point: Point) -> tuple[str, Schedule]:
        """Returns the text of the program, and the schedule, at a point of the box."""
        program, schedule = self.at(point)
        return write(program), schedule


def program_knobs(program: Program) -> ProgramKnobs:
    """The knobs of a valid program."""
    live = live_program(program)
    rate = find_learning_rate(live)
    rates = _rate_places(live, rate.default, sorted(rate.literals))
    knobs: list[Range] = [rate_range(rate.default)]
    places: list[tuple[Place, ...]] = []
    names: set[str] = set()
    for constant in constants(live, rate.literals):
        written = tuple(place for place in constant.places if place[1] < len(live.body[place[0]].args))
        if constant.role == "weight decay":
            name = numbered_name("decay", names, " ")
            knobs.append(decay_range(name, constant.value))
        elif constant.role in ("decay", "momentum") and 0 < constant.value < 1:
            beta = "beta" if constant.state is None else f"beta of {live.states[constant.state].name}"
            name = numbered_name(beta, names, " ")
            knobs.append(beta_range(name, constant.value))
        else:
            continue
        names.add(name)
        places.append(written)
    return ProgramKnobs(live, Box((*knobs, *schedule_choices())), rates, tuple(places))


def rate_range(default: float) -> Range:
    """The range of a learning rate."""
    return Range("rate", default, default / RATE_FACTOR, default * RATE_FACTOR)


def decay_range(name: str, default: float) -> Range:
    """The range of a weight decay."""
    return Range(name, default, *DECAYS, zero=True, ceiling=10.0)


def beta_range(name: str, default: float) -> Range:
    """The range of the weight of a moving average, or of a momentum. A default of 0, whose range would have no room,
    and one of 1, which has no logarithm, get the range that 0.9 would have."""
    size = 1 - (0.9 if default in (0, 1) else default)
    most = 1 - LEAST_BETA
    return Range(
        name,
        default,
        size / BETA_FACTOR,
        min(BETA_FACTOR * size, most),
        complement=True,
        floor=1e-6,
        ceiling=most,
    )


def schedule_choices() -> tuple[Choice, Choice]:
    """The warm-up and the schedule, at first those of every search."""
    return Choice("warm-up", 0.05, WARMUPS), Choice("schedule", "cosine", tuple(SHAPES))


def _rate_places(program: Program, default: float, literals: list[Place]) -> tuple[Place, ...]:
    """The places to multiply so that the learning rate of a program is multiplied: one factor of a product, or the
    number beside `lr` wherever that is read."""
    for places in (literals[:1], literals):
        doubled = find_learning_rate(_scaled(program, tuple(places), 2.0))
        if places and abs(doubled.default / (2 * default) - 1) < 1e-9:
            return tuple(places)
    return ()


def _scaled(program: Program, places: tuple[Place, ...], factor: float) -> Program:
    """The program with the numbers at some places multiplied; without places, with its update multiplied."""
    if factor == 1.0:
        return program
    if places:
        numbers = {(i, j): float(program.body[i].args[j]) * factor for i, j in places}
        return program.with_numbers(numbers)
    target = numbered_name("scaled", {*program.inputs, *(line.target for line in program.body)})
    line = Statement(target, "*", (program.returns[0], factor))
    return replace(program, body=(*program.body, line), returns=(target, *program.returns[1:]))
