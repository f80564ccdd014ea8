"""Evolution strategies in the genome of a policy: how generations moved its parameters, and the rule that they follow.

The parameters of such a policy are the *mean* of a normal distribution, which begins at the initial parameters and is
moved by each generation. A *member* of a generation is the mean with noise; members come in pairs, the second with the
negated noise of the first (mirrored sampling, Brockhoff et al. 2010). A generation is recorded as the seed of its noise
and the ranks of its members' returns, which are whole numbers: so every mean can be computed again, bit for bit.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

NAME = "openai-es/1"
"""Name and version of the arithmetic in `descent.py`. A change to any bit of a mean needs a new version."""

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
    """The noise of a member of a generation: that of pair `number // 2`, negated if `number` is odd."""

    seed: int
    sigma: float
    number: int


class Generation(NamedTuple):
    """The move of a mean by a generation with the noise of `seed` and the standard deviation `sigma`.

    `gains` has a whole number for each pair: by how much the rank of its first member exceeds that of the second, times
    two (see `pair_gains`).
    """

    seed: int
    sigma: float
    gains: tuple[int, ...]


Step = Mutation | Member | Generation
"""A change of the parameters of a policy."""


@dataclass(frozen=True, slots=True)
class Evolution:
    """How generations move the mean, as in OpenAI-ES (Salimans et al. 2017, arXiv 1703.03864).

    Args:
        optimizer: `adam` with betas 0.9 and 0.999, or `sgd` with momentum 0.9.
        rate: learning rate.
        decay: weight decay, which is subtracted from the estimated gradient as `decay` times the parameters.
        rank: rank of the noise of each weight matrix (EGGROLL, arXiv 2511.16652); 0: independent noise on each weight.
        name: of the arithmetic.
    """

    optimizer: Literal["adam", "sgd"]
    rate: float
    decay: float = 0.0
    rank: int = 0
    name: str = NAME

    def data(self) -> dict[str, Any]:
        """The strategy as plain JSON data; `read_evolution(evolution.data()) == evolution`."""
        return {name: getattr(self, name) for name in ("name", "optimizer", "rate", "decay", "rank")}


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


def read_evolution(data: Any) -> Evolution:
    """The strategy that plain data describe.

    Raises:
        InvalidEvolution: they describe none, or one of another version of germline.
    """
    expected = "an object of decay, name, optimizer, rank, rate"
    if not isinstance(data, dict) or sorted(data) != ["decay", "name", "optimizer", "rank", "rate"]:
        raise InvalidEvolution(f"evolution: expected {expected}, got {data!r:.60}")
    if data["name"] != NAME:
        raise InvalidEvolution(f"evolution: expected {NAME}, got {data['name']!r:.60}: of another version of germline")
    if data["optimizer"] not in ("adam", "sgd"):
        raise InvalidEvolution(f"evolution: expected optimizer adam or sgd, got {data['optimizer']!r:.60}")
    for name in ("rate", "decay"):
        if type(data[name]) not in (int, float) or not 0 <= data[name] <= 1e6:
            raise InvalidEvolution(f"evolution: expected {name} from 0 to 1e6, got {data[name]!r:.60}")
    if type(data["rank"]) is not int or not 0 <= data["rank"] <= MOST_RANK:
        raise InvalidEvolution(f"evolution: expected rank from 0 to {MOST_RANK}, got {data['rank']!r:.60}")
    return Evolution(data["optimizer"], float(data["rate"]), float(data["decay"]), data["rank"])
