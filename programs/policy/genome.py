"""The genome of a policy: a network, the seed of its initial parameters, and the steps that changed them since.

A step is a mutation, with its seed and σ; or of an evolution strategy, which is then named too, the move of the mean by
a generation, or the noise of a member (`evolution.py`). A genome is one line of JSON:

    {"network": {"form": "mlp", "observation": [4], "hidden": [32, 32], "activation": "tanh", "actions": 2},
     "layout": "5e2d0c1a", "noise": "philox-normal16/1", "seed": 7, "mutations": [[1234, 0.02], [98, 0.02]]}

    {"network": {…}, "layout": "5e2d0c1a", "noise": "philox-normal16/1", "evolution": {"optimizer": "adam", …},
     "seed": 7, "mutations": [[1234, 0.02, [5,-3,0]], [98, 0.02, 4]]}
"""

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from typing import Any

from germline.programs.policy import noise
from germline.programs.policy.evolution import (
    MOST_PAIRS,
    Generation,
    InvalidEvolution,
    Member,
    Mutation,
    Rule,
    Step,
    read_evolution,
)
from germline.programs.policy.network import InvalidNetwork, Network
from germline.programs.policy.network_data import read_network
from germline.programs.policy.recent import Recent

FINGERPRINT_VERSION = 1

MAX_CHARACTERS = 10**7
MAX_MUTATIONS = 10**5
MAX_SIGMA = 1e6


_REMEMBERED = 256, 32_000_000
"""A search reads genomes that it has just written, and writes and reads children of the same parents. So the last
genomes are remembered, as many as have so many characters together."""


class InvalidPolicy(ValueError):
    """A text that is not a policy; the message says what was expected, what came and what to write."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The genome of a policy.

    Args:
        network: its network.
        seed: seed of the initial parameters, from 0 to 2^32 - 1.
        mutations: the steps that changed the parameters, oldest first. A plain pair of seed and σ is a mutation.
        evolution: the strategy that the steps of generations and members belong to; None if there are none.
    """

    network: Network
    seed: int
    mutations: tuple[tuple[int, float] | Step, ...] = ()
    evolution: Rule | None = None

    def __hash__(self) -> int:
        """A hash of the number of steps and the last of them: one of all would take as long as the lineage."""
        return hash((self.seed, len(self.mutations), self.mutations[-1:]))

    @property
    def parent(self) -> "Policy | None":
        """The policy without its last step; None if it has no steps."""
        return self._with(self.mutations[:-1]) if self.mutations else None

    @property
    def generations(self) -> int:
        """The number of generations of an evolution strategy that moved the parameters."""
        return sum(isinstance(step, Generation) for step in self.mutations)

    def child(self, seed: int, sigma: float) -> "Policy":
        """The policy with one more mutation."""
        return self.after(Mutation(seed, float(sigma)))

    def after(self, step: Step) -> "Policy":
        """The policy with one more step."""
        return self._with((*self.mutations, step))

    def _with(self, mutations: tuple[tuple[int, float] | Step, ...]) -> "Policy":
        """The policy with other steps; a search needs several for each birth, and `replace` takes twice as long."""
        return Policy(self.network, self.seed, mutations, self.evolution)


_text_by_policy: Recent[Policy, str] = Recent(*_REMEMBERED)
_policy_by_text: Recent[str, Policy] = Recent(*_REMEMBERED)


def write(policy: Policy) -> str:
    """The policy as one line of JSON; `read(write(policy)) == policy`."""
    text = _text_by_policy.get(policy)
    if text is None:
        text = _written(policy)
        _text_by_policy.add(policy, text, len(text))
        _policy_by_text.add(text, policy, len(text))
    return text


def _written(policy: Policy) -> str:
    parent = policy.parent
    before = _text_by_policy.get(parent) if parent is not None and parent.mutations else None
    if before is not None:
        return f"{before[:-2]}, {_step_text(policy.mutations[-1])}]}}"
    evolution = "" if policy.evolution is None else f' "evolution": {json.dumps(policy.evolution.data())},'
    steps = ", ".join(map(_step_text, policy.mutations))
    return f'{{{_network_fields(policy.network)},{evolution} "seed": {policy.seed}, "mutations": [{steps}]}}'


def _step_text(step: tuple[int, float] | Step) -> str:
    seed, sigma, *rest = step
    last = "".join(f", {json.dumps(value, separators=(',', ':'))}" for value in rest)
    return f"[{seed}, {float(sigma)!r}{last}]"


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
        raise InvalidPolicy(
            f"expected a policy of at most {MAX_CHARACTERS:,} characters, got {len(text):,}: it has all generations of "
            "its run; begin another run, with a smaller population or budget"
        )
    policy = _known(text, 2)
    if policy is None:
        policy = _parse(text)
        _policy_by_text.add(text, policy, len(text))
        parent_text, last = _split(text)
        if policy.mutations and last == _step_text(policy.mutations[-1]):
            parent = replace(policy, mutations=policy.mutations[:-1])
            _policy_by_text.add(parent_text, parent, len(parent_text))
    return policy


def _known(text: str, back: int) -> Policy | None:
    """The policy of a text that is remembered, or that has a few steps more than a text that is: at most `back`. None
    if there is no such text."""
    policy = _policy_by_text.get(text)
    if policy is not None or not back:
        return policy
    parent_text, last = _split(text)
    parent = _known(parent_text, back - 1) if last else None
    if parent is None or len(parent.mutations) >= MAX_MUTATIONS:
        return None
    try:
        step = json.loads(last)
    except (ValueError, RecursionError):
        return None
    policy = parent.after(_parse_step(len(parent.mutations), step, parent.evolution))
    _policy_by_text.add(text, policy, len(text))
    return policy


def _split(text: str) -> tuple[str, str]:
    """The text without its last step, and that step; empty texts if it has less than two, or is written otherwise."""
    cut = text.rfind("], [")  # within a step there is no list of lists
    return (f"{text[: cut + 1]}]}}", text[cut + 3 : -2]) if cut > 0 and text.endswith("]}") else ("", "")


def _parse(text: str) -> Policy:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        cause = (str(error).splitlines() or ["nested too deeply"])[0]
        raise InvalidPolicy(f"expected JSON ({cause:.80}); {_EXAMPLE}") from None
    if not isinstance(data, dict) or sorted(data.keys() - {"evolution"}) != sorted(_KEYS):
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
    try:
        evolution = read_evolution(data["evolution"]) if "evolution" in data else None
    except InvalidEvolution as invalid:
        raise InvalidPolicy(str(invalid)) from None
    steps = tuple(_parse_step(number, step, evolution) for number, step in enumerate(mutations))
    return Policy(network, _parse_seed("seed", data["seed"]), steps, evolution)


@lru_cache(maxsize=256)
def _parse_network(text: str) -> Network:
    """The network of a text. The policies of a search thus share one object, and with it its cached properties."""
    return read_network(json.loads(text))


def _parse_step(number: int, value: Any, evolution: Rule | None) -> Step:
    name = f"mutations[{number}]"
    length = len(value) if isinstance(value, list) else 0
    if length not in (2, 3) or type(value[1]) not in (int, float) or not 0 < value[1] <= MAX_SIGMA:
        raise InvalidPolicy(f"{name}: expected a pair of seed and σ such as [2, 0.02], got {value!r:.60}")
    seed, sigma = _parse_seed(name, value[0]), float(value[1])
    if length == 2:
        return Mutation(seed, sigma)
    if evolution is None:
        raise InvalidPolicy(f"{name}: expected a pair, since the policy has no evolution strategy, got {value!r:.60}")
    last = value[2]
    if type(last) is int and 0 <= last < 2 * MOST_PAIRS:
        return Member(seed, sigma, last)
    whole = isinstance(last, list) and all(type(rank) is int for rank in last)
    if whole and evolution.admits(tuple(last)):
        return Generation(seed, sigma, tuple(last))
    raise InvalidPolicy(
        f"{name}: expected the number of a member, or the ranks of a generation of {evolution.name}, got {last!r:.60}"
    )


def _parse_seed(name: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value < noise.SEEDS:
        raise InvalidPolicy(f"{name}: expected a seed, a whole number from 0 to {noise.SEEDS - 1}, got {value!r:.60}")
    return value
