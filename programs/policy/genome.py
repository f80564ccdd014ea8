"""The genome of a policy: a network, the seed of its initial parameters, and the seed and σ of each mutation.

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
    """A text that is not a policy; the message says what was expected, what came and what to write."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The genome of a policy.

    Args:
        network: its network.
        seed: seed of the initial parameters, from 0 to 2^32 - 1.
        mutations: seed and standard deviation σ of the noise that each mutation added, oldest first.
    """

    network: Network
    seed: int
    mutations: tuple[tuple[int, float], ...] = ()

    @property
    def parent(self) -> "Policy | None":
        """The policy without its last mutation; None if it has no mutations."""
        return replace(self, mutations=self.mutations[:-1]) if self.mutations else None

    def child(self, seed: int, sigma: float) -> "Policy":
        """The policy with one more mutation."""
        return replace(self, mutations=(*self.mutations, (seed, float(sigma))))


@lru_cache(maxsize=256)
def write(policy: Policy) -> str:
    """The policy as one line of JSON; `read(write(policy)) == policy`."""
    mutations = json.dumps(policy.mutations)
    text = f'{{{_network_fields(policy.network)}, "seed": {policy.seed}, "mutations": {mutations}}}'
    _remember(text, policy)
    return text


@lru_cache(maxsize=256)
def _network_fields(network: Network) -> str:
    """The first three fields of a genome. All policies of a search share them, so they are serialised once."""
    return json.dumps({"network": network.data(), "layout": network.layout, "noise": noise.NAME})[1:-1]


def fingerprint(policy: Policy) -> str:
    """Hash of the genome's text, 32 hexadecimal digits: equal if and only if genomes are equal."""
    return sha256(write(policy).encode()).hexdigest()[:32]


_KEYS = ("network", "layout", "noise", "seed", "mutations")
_EXAMPLE = 'write {"network": {…}, "layout": "…", "noise": "…", "seed": 1, "mutations": [[2, 0.02], …]}'


def read(text: str) -> Policy:
    """The policy of a text.

    Raises:
        InvalidPolicy: the text is not a policy, or its layout or noise generator is of another version of germline.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidPolicy(f"expected at most {MAX_CHARACTERS:,} characters, got {len(text):,}")
    known = _policy_by_text.get(text)
    return _remember(text, _parse(text)) if known is None else known


_MAX_REMEMBERED, _MAX_REMEMBERED_CHARACTERS = 256, 20_000
"""A search reads genomes that it has just written, and reads parents again and again. So the last genomes are
remembered, unless their text is long."""

_policy_by_text: OrderedDict[str, Policy] = OrderedDict()


def _remember(text: str, policy: Policy) -> Policy:
    if len(text) <= _MAX_REMEMBERED_CHARACTERS:
        _policy_by_text[text] = policy
        if len(_policy_by_text) > _MAX_REMEMBERED:
            _policy_by_text.popitem(last=False)
    return policy


def _parse(text: str) -> Policy:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        cause = (str(error).splitlines() or ["nested too deeply"])[0]
        raise InvalidPolicy(f"expected JSON ({cause:.80}); {_EXAMPLE}") from None
    if not isinstance(data, dict) or sorted(data) != sorted(_KEYS):
        got = ", ".join(map(str, sorted(data))) if isinstance(data, dict) else type(data).__name__
        raise InvalidPolicy(f"expected an object of {', '.join(_KEYS)}, got {got or 'nothing':.80}; {_EXAMPLE}")
    try:
        network = _parse_network(json.dumps(data["network"]))
    except RecursionError:
        raise InvalidPolicy(f"expected a network of flat lists, got lists nested too deeply; {_EXAMPLE}") from None
    except InvalidNetwork as invalid:
        raise InvalidPolicy(str(invalid)) from None
    if data["noise"] != noise.NAME:
        raise InvalidPolicy(f"expected noise {noise.NAME}, got {data['noise']!r:.60}: of another version of germline")
    if data["layout"] != network.layout:
        raise InvalidPolicy(
            f"expected layout {network.layout} for this network, got {data['layout']!r:.60}: another version of "
            "germline orders or initialises the parameters in another way"
        )
    mutations = data["mutations"]
    if not isinstance(mutations, list) or len(mutations) > MAX_MUTATIONS:
        raise InvalidPolicy(f"mutations: expected a list of at most {MAX_MUTATIONS:,} pairs, got {mutations!r:.60}")
    pairs = tuple(_parse_mutation(number, mutation) for number, mutation in enumerate(mutations))
    return Policy(network, _parse_seed("seed", data["seed"]), pairs)


@lru_cache(maxsize=256)
def _parse_network(text: str) -> Network:
    """The network of a text. The policies of a search thus share one object, and with it its cached properties."""
    return read_network(json.loads(text))


def _parse_mutation(number: int, value: Any) -> tuple[int, float]:
    pair = isinstance(value, list) and len(value) == 2 and type(value[1]) in (int, float)
    if not pair or not 0 < value[1] <= MAX_SIGMA:
        raise InvalidPolicy(f"mutations[{number}]: expected a pair of seed and σ such as [2, 0.02], got {value!r:.60}")
    return _parse_seed(f"mutations[{number}]", value[0]), float(value[1])


def _parse_seed(name: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value < noise.SEEDS:
        raise InvalidPolicy(f"{name}: expected a seed, a whole number from 0 to {noise.SEEDS - 1}, got {value!r:.60}")
    return value
