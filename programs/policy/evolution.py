"""Evolution strategies in the genome of a policy: how generations moved its parameters, and the rule that they follow.

The parameters of such a policy are the *mean* of a normal distribution, which begins at the initial parameters and is
moved by each generation. A *member* of a generation is the mean with noise. A generation is recorded as the seed of its
noise and the ranks of its members' returns, which are whole numbers: so every mean can be computed again, bit for bit.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

OPENAI_ES, SEP_CMA_ES = "openai-es/1", "sep-cma-es/1"
"""Names and versions of the arithmetic in `gradient_ascent.py` and `separable_cma.py`. A change to any bit of a mean
needs a new version."""

MOST_PAIRS = 10_000
"""The most pairs of a generation, so that the sums of their noise are exact in integers of 64 bits."""

MOST_RANK = 64
"""The largest rank of noise of low rank, for the same reason."""


class InvalidEvolution(ValueError):
    """Data that describe no evolution strategy; the message says what was expected."""


class Mutation(NamedTuple):
    """Noise of a seed, with standard deviation `sigma`, on every parameter."""

    seed: int
    sigma: float


class Member(NamedTuple):
    """The noise of a member of a generation; members are counted from 0."""

    seed: int
    sigma: float
    number: int


class Generation(NamedTuple):
    """The move of a mean by a generation with the noise of `seed` and the standard deviation `sigma`.

    `ranks` is what the strategy needs to know of the order of the members' returns, in whole numbers: see `OpenAiEs`
    and `SeparableCma`.
    """

    seed: int
    sigma: float
    ranks: tuple[int, ...]


Step = Mutation | Member | Generation
"""A change of the parameters of a policy."""


@dataclass(frozen=True, slots=True)
class OpenAiEs:
    """The rule of OpenAI-ES (Salimans et al. 2017, arXiv 1703.03864): a generation moves the mean along its estimate of
    the gradient, which `gradient_ascent.py` computes.

    Members come in pairs: number `2 i + 1` has the negated noise of number `2 i` (mirrored sampling, Brockhoff et al.
    2010). Of a generation, `ranks` has the gain of each pair (`pair_gains`).

    Args:
        optimizer: `adam` with betas 0.9 and 0.999, or `sgd` with momentum 0.9.
        rate: learning rate.
        decay: weight decay, which is subtracted from the estimated gradient as `decay` times the parameters. The
            estimate is divided by σ, as in the paper; the authors' code does not, so its decay is σ times this.
        rank: rank of the noise of each weight matrix (EGGROLL, arXiv 2511.16652); 0: independent noise on each weight.
        name: of the arithmetic.
    """

    optimizer: Literal["adam", "sgd"]
    rate: float
    decay: float = 0.0
    rank: int = 0
    name: str = OPENAI_ES

    def data(self) -> dict[str, Any]:
        """The strategy as plain JSON data; `read_evolution(evolution.data()) == evolution`."""
        # Whole numbers as floats: a text that is read and written again has to stay the same.
        numbers = {"rate": float(self.rate), "decay": float(self.decay)}
        return {"name": self.name, "optimizer": self.optimizer, **numbers, "rank": self.rank}

    def ranks(self, returns: Sequence[float | None]) -> tuple[int, ...]:
        """`Generation.ranks` of members with these returns, in the order of their numbers; see `pair_gains`."""
        return pair_gains(returns)

    def admits(self, ranks: tuple[int, ...]) -> bool:
        """Whether these can be the gains of the pairs of a generation."""
        return 1 <= len(ranks) <= MOST_PAIRS and max(map(abs, ranks)) <= 4 * len(ranks)


@dataclass(frozen=True, slots=True)
class SeparableCma:
    """The rule of sep-CMA-ES (Ros and Hansen 2008): a generation moves the mean to its best members, and changes a step
    size and the deviation of each parameter, which `separable_cma.py` computes. Of a generation, `ranks` has the
    numbers of its best members, the best first.

    Args:
        members: number of members of each generation (λ), at least 2.
        name: of the arithmetic.
    """

    members: int
    name: str = SEP_CMA_ES

    def data(self) -> dict[str, Any]:
        """The strategy as plain JSON data; `read_evolution(evolution.data()) == evolution`."""
        return {"name": self.name, "members": self.members}

    def ranks(self, returns: Sequence[float | None]) -> tuple[int, ...]:
        """`Generation.ranks` of members with these returns, in the order of their numbers; of equal members the earlier
        is better, and None, a member without a return, is not among the best."""
        scored = [(-value, number) for number, value in enumerate(returns) if value is not None]
        return tuple(number for _, number in sorted(scored)[: self.members // 2])

    def admits(self, ranks: tuple[int, ...]) -> bool:
        """Whether these can be the best members of a generation: different ones, at most half of all."""
        return (
            1 <= len(ranks) <= self.members // 2
            and len(set(ranks)) == len(ranks)
            and 0 <= min(ranks) <= max(ranks) < self.members
        )


Rule = OpenAiEs | SeparableCma
"""How generations of an evolution strategy move its mean."""


def pair_gains(returns: Sequence[float | None]) -> tuple[int, ...]:
    """The number of each pair of a generation, from the returns of its members in the order of their numbers.

    It is the rank of the first member less that of the second, times two, so that the mean rank of equal returns is a
    whole number. A last member without a second is compared with the mean rank. None, a member without a return, ranks
    below all returns.

    >>> pair_gains([3.0, 9.0, None, 9.0, 4.0])
    (-5, -7, 0)
    """
    values = [float("-inf") if value is None else value for value in returns]
    ordered = sorted(values)
    doubled = [bisect_left(ordered, value) + bisect_right(ordered, value) - 1 for value in values]
    mean = len(values) - 1
    return tuple(
        doubled[first] - (doubled[first + 1] if first + 1 < len(doubled) else mean)
        for first in range(0, len(doubled), 2)
    )


def read_evolution(data: Any) -> Rule:
    """The strategy that plain data describe.

    Raises:
        InvalidEvolution: they describe none, or one of another version of germline.
    """
    name = data.get("name") if isinstance(data, dict) else None
    if name not in (OPENAI_ES, SEP_CMA_ES):
        raise InvalidEvolution(
            f'evolution: expected an object with "name": {OPENAI_ES} or {SEP_CMA_ES}, got {data!r:.80}'
        )
    keys = ["decay", "name", "optimizer", "rank", "rate"] if name == OPENAI_ES else ["members", "name"]
    if sorted(data) != keys:
        raise InvalidEvolution(f"evolution: expected an object of {', '.join(keys)}, got {', '.join(sorted(data)):.80}")
    if name == SEP_CMA_ES:
        return SeparableCma(_whole(data, "members", 2, 2 * MOST_PAIRS))
    if data["optimizer"] not in ("adam", "sgd"):
        raise InvalidEvolution(f"evolution: expected optimizer adam or sgd, got {data['optimizer']!r:.60}")
    rank = _whole(data, "rank", 0, MOST_RANK)
    return OpenAiEs(data["optimizer"], _number(data, "rate"), _number(data, "decay"), rank)


def _number(data: dict[str, Any], name: str) -> float:
    value = data[name]
    if type(value) not in (int, float) or not 0 <= value <= 1e6:
        raise InvalidEvolution(f"evolution: expected {name} from 0 to 1e6, got {value!r:.60}")
    return float(value)


def _whole(data: dict[str, Any], name: str, least: int, most: int) -> int:
    value = data[name]
    if type(value) is not int or not least <= value <= most:
        raise InvalidEvolution(f"evolution: expected {name} from {least} to {most}, got {value!r:.60}")
    return value
