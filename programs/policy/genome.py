"""The genome of a policy: a network, the seed of its first weights, and the seed and σ of each mutation since.

A genome is one line of JSON:

    {"network": {"form": "mlp", "observation": [4], "hidden": [32, 32], "activation": "tanh", "actions": 2},
     "layout": "5e2d0c1a", "noise": "philox-normal16/1", "seed": 7, "mutations": [[1234, 0.02], [98, 0.02]]}
"""

import json
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from typing import Any

from germline.programs.policy import noise
from germline.programs.policy.network import InvalidNetwork, Network, read_network

FINGERPRINT_VERSION = 1

MAX_CHARACTERS = 10**7
MAX_MUTATIONS = 10**5
MAX_SIGMA = 1e6


class InvalidPolicy(ValueError):
    """A text that is no policy; the message says what was expected, what came and what to write."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy: its parameters are the noise of `seed`, and for each mutation (seed, σ) σ times the noise of its seed.

    Seeds are from 0 to 2^32 - 1.
    """

    network: Network
    seed: int
    mutations: tuple[tuple[int, float], ...] = ()

    @property
    def parent(self) -> "Policy | None":
        """The policy that it is a mutation of; None for one that was drawn."""
        return replace(self, mutations=self.mutations[:-1]) if self.mutations else None

    def child(self, seed: int, sigma: float) -> "Policy":
        """With one more mutation."""
        return replace(self, mutations=(*self.mutations, (seed, float(sigma))))


@lru_cache(maxsize=256)
def write(policy: Policy) -> str:
    """One line of JSON; `read(write(policy)) == policy`."""
    mutations = json.dumps(policy.mutations)
    text = f'{{{_head(policy.network)}, "seed": {policy.seed}, "mutations": {mutations}}}'
    _remember(text, policy)
    return text


@lru_cache(maxsize=256)
def _head(network: Network) -> str:
    """What the genomes of a network begin with: the policies of a search have one, which is written once."""
    return json.dumps({"network": network.data(), "layout": network.layout, "noise": noise.NAME})[1:-1]


def fingerprint(policy: Policy) -> str:
    """Equal for equal genomes."""
    return sha256(write(policy).encode()).hexdigest()[:32]


_KEYS = ("network", "layout", "noise", "seed", "mutations")
_EXAMPLE = 'write {"network": {…}, "layout": "…", "noise": "…", "seed": 1, "mutations": [[2, 0.02], …]}'


def read(text: str) -> Policy:
    """The policy that a text spells.

    Raises:
        InvalidPolicy: it is none, or one of another layout or generator than this version has.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidPolicy(f"expected at most {MAX_CHARACTERS:,} characters, got {len(text):,}")
    known = _known.get(text)
    return _remember(text, _read(text)) if known is None else known


_KEPT, _SHORT = 256, 20_000
"""A search reads what it has just written, and its parents again and again: the last so many genomes of up to so many
characters are remembered."""

_known: OrderedDict[str, Policy] = OrderedDict()


def _remember(text: str, policy: Policy) -> Policy:
    if len(text) <= _SHORT:
        _known[text] = policy
        if len(_known) > _KEPT:
            _known.popitem(last=False)
    return policy


def _read(text: str) -> Policy:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        cause = (str(error).splitlines() or ["nested too deeply"])[0]
        raise InvalidPolicy(f"expected JSON ({cause:.80}); {_EXAMPLE}") from None
    if not isinstance(found, dict) or sorted(found) != sorted(_KEYS):
        got = ", ".join(map(str, sorted(found))) if isinstance(found, dict) else type(found).__name__
        raise InvalidPolicy(f"expected an object of {', '.join(_KEYS)}, got {got or 'nothing':.80}; {_EXAMPLE}")
    try:
        network = _network(json.dumps(found["network"]))
    except RecursionError:
        raise InvalidPolicy(
            f"expected a network of flat lists, got one that is nested too deeply; {_EXAMPLE}"
        ) from None
    except InvalidNetwork as invalid:
        raise InvalidPolicy(str(invalid)) from None
    if found["noise"] != noise.NAME:
        raise InvalidPolicy(f"expected noise {noise.NAME}, got {found['noise']!r:.60}: of another version of germline")
    if found["layout"] != network.layout:
        raise InvalidPolicy(
            f"expected layout {network.layout} for this network, got {found['layout']!r:.60}: its parameters lie, or "
            "begin, in another way"
        )
    mutations = found["mutations"]
    if not isinstance(mutations, list) or len(mutations) > MAX_MUTATIONS:
        raise InvalidPolicy(f"mutations: expected a list of at most {MAX_MUTATIONS:,} pairs, got {mutations!r:.60}")
    pairs = tuple(_mutation(number, one) for number, one in enumerate(mutations))
    return Policy(network, _seed("seed", found["seed"]), pairs)


@lru_cache(maxsize=256)
def _network(text: str) -> Network:
    """The same when it is read."""
    return read_network(json.loads(text))


def _mutation(number: int, found: Any) -> tuple[int, float]:
    pair = isinstance(found, list) and len(found) == 2 and type(found[1]) in (int, float)
    if not pair or not 0 < found[1] <= MAX_SIGMA:
        raise InvalidPolicy(f"mutations[{number}]: expected a pair of seed and σ such as [2, 0.02], got {found!r:.60}")
    return _seed(f"mutations[{number}]", found[0]), float(found[1])


def _seed(where: str, found: Any) -> int:
    if type(found) is not int or not 0 <= found < noise.SEEDS:
        raise InvalidPolicy(f"{where}: expected a seed, a whole number from 0 to {noise.SEEDS - 1}, got {found!r:.60}")
    return found
