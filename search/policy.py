"""The kind `policy`: weights of a network, scored by playing episodes."""

import logging
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from germline.programs.policy.genome import FINGERPRINT_VERSION, Policy, fingerprint, read, write
from germline.programs.policy.network import Box, InvalidNetwork, Network, Normalisation, read_network
from germline.programs.policy.space import PolicySpace
from germline.programs.space import Space
from germline.search.kind import Kind, Preset, Values
from germline.search.loop import Plan
from germline.search.settings import BadSetting, Setting, choice, number, positive, share, whole, widths
from germline.search.strategies.novelty import Novelty
from germline.search.strategies.truncation import Sigma, Truncation
from germline.search.strategy import Strategy

if TYPE_CHECKING:
    from germline.evaluators.policy.environments.environment import EnvironmentSpec
    from germline.evaluators.policy.task import PolicyTask

log = logging.getLogger(__name__)

NETWORK = "network_data"
"""Where a run's values hold its network, complete, as it stands in every genome."""

SETTINGS = (
    Setting("strategy", "truncation", choice("truncation", "novelty", "random"), "how it is searched"),
    Setting("population", 100, whole(2), "births in a generation, which is a block"),
    Setting("parents", 10, whole(1), "how many of the best have children, the elite among them (T)"),
    Setting("neighbours", 25, whole(1, 100_000), "of novelty: by how many of the nearest behaviours it is measured"),
    Setting("archive", 0.01, share, "of novelty: how often a birth enters the archive"),
    Setting("blend", 0.0, share, "of novelty: weight of the return in who has children; 0: novelty alone"),
    Setting("sigma", 0.05, number(1e-9, 1e6), "standard deviation of a mutation"),
    Setting("sigma_decay", 1.0, number(1e-6, 1), "by what it is multiplied each generation"),
    Setting("sigma_least", 0.0, number(0, 1e6), "what it does not fall below"),
    Setting("episodes", 1, whole(1, 100_000), "episodes by which a birth is scored"),
    Setting("starts", "own", choice("own", "common"), "whether births play episodes of their own, or all the same"),
    Setting("candidates", 10, whole(0, 1_000), "reviewed after a generation, the old elite among them; 0: none"),
    Setting("review_episodes", 30, whole(1, 100_000), "episodes of a review"),
    Setting("test_episodes", 200, whole(0, 1_000_000), "episodes that the winner plays in the end; 0: no test"),
    Setting("steps", 0, whole(0), "most decisions in an episode; 0: as many as the task says"),
    Setting("network", "auto", choice("auto", "mlp", "conv"), "auto: conv for images of 0 to 255, else mlp"),
    Setting("hidden", [32, 32], widths(10_000), "units of an mlp's hidden layers; none: it is linear"),
    Setting("activation", "tanh", choice("tanh", "relu"), "of an mlp"),
    Setting("normalise", "off", choice("off", "on"), "whether an mlp sees observations alike, by untrained policies"),
    Setting("padding", "same", choice("same", "valid"), "of a conv: keep the borders of images, or cut them"),
    Setting("actions", "auto", choice("auto", "discrete", "continuous"), "what is needed; auto: what the task has"),
    Setting("depth", 0, whole(0, 8), "generations in flight beyond the one that is scored"),
    Setting("pack", 50, whole(1, 100_000), "policies scored in one job"),
    Setting("slots", 0, whole(0, 100_000), "episodes at a time in a process; 0: as many as suit the task"),
    Setting("max_failures", 50, whole(1), "the search stops when so many scorings in a row failed"),
    Setting(
        "timeout", 600.0, positive, "seconds for a job, in reviews 10 times, before its worker is replaced (Ray only)"
    ),
)

PRESETS = {
    "quick": Preset(
        "a controller in seconds to minutes on two cores", {"candidates": 5, "review_episodes": 10}, births=2_000
    ),
    "paper": Preset(
        "Deep GA on Atari: population 1000, 20 parents, σ 0.002, at most 5,000 decisions",
        {"population": 1000, "parents": 20, "sigma": 0.002, "steps": 5_000, "pack": 32, "timeout": 3_600.0},
        births=100_000,
        task="atari:frostbite",
    ),
    "maze": Preset(
        "novelty search in a maze that deceives: 250 births a generation, 10 parents, σ 0.05",
        {
            "strategy": "novelty",
            "population": 250,
            "parents": 10,
            "sigma": 0.05,
            "hidden": [16],
            "pack": 125,
            "candidates": 0,
            "review_episodes": 1,
            "test_episodes": 0,
        },
        births=20_000,
        task="hard-maze",
    ),
}


def _prepare(values: Values, task: "type[PolicyTask]") -> dict[str, Any]:
    from germline.evaluators.policy.task import environment_spec_of

    network = _network(values, environment_spec_of(task), task.name)
    if values["strategy"] == "novelty" and _mute(task):
        raise BadSetting(
            f"expected a task that says what episodes did, which novelty is measured in, got {task.name}; "
            "--set strategy=truncation"
        )
    if values["candidates"] and values["review_episodes"] < values["episodes"]:
        raise BadSetting(
            f"expected review_episodes of at least episodes, which is {values['episodes']}, got "
            f"{values['review_episodes']}: a review is to tell more; --set review_episodes={2 * values['episodes']}"
        )
    if network.form == "conv" and not values["hidden"]:
        raise BadSetting(f"expected network=mlp for hidden=none, got conv for the images of {task.name}")
    if values["normalise"] == "on":
        if network.form == "conv":
            raise BadSetting("expected normalise=off for network=conv, got on: images are divided by 255")
        log.info("measuring what untrained policies observe in %s", task.name)
        network = replace(network, normalisation=_observed(task, network))
    return {**values, NETWORK: network.data()}


def _mute(task: "type[PolicyTask]") -> bool:
    """Whether its episodes never say what they did; not, if no episode can begin: that shows when they are scored."""
    slot = np.zeros(1, np.int64)
    with suppress(Exception), closing(task().environments(1)) as environments:
        environments.reset(slot, [0])
        return bool(environments.behaviour(slot).shape[1] == 0)
    return False


def _observed(task: "type[PolicyTask]", network: Network) -> Normalisation:
    from germline.evaluators.policy.observation_statistics import normalisation

    try:
        return normalisation(task, network)
    except ValueError as invalid:
        raise BadSetting(str(invalid)) from None


def _network(values: Values, spec: "EnvironmentSpec", task: str) -> Network:
    discrete = isinstance(spec.actions, int)
    if values["actions"] != "auto" and discrete != (values["actions"] == "discrete"):
        has = f"{spec.actions} actions to choose from" if discrete else f"{_dimensions(spec.actions)} to set"
        raise BadSetting(f"expected {values['actions']} actions, got {task}, which has {has}; --set actions=auto")
    form = values["network"] if values["network"] != "auto" else "conv" if spec.pixels else "mlp"
    if form == "conv" and not (spec.pixels and len(spec.observation) == 3):
        raise BadSetting(
            f"expected images for network=conv, got {task}, which shows {list(spec.observation)}; --set network=mlp"
        )
    data: dict[str, Any] = {"form": form, "observation": list(spec.observation)}
    data |= {"padding": values["padding"]} if form == "conv" else {
        "hidden": values["hidden"], "activation": values["activation"] if values["hidden"] else "tanh"
    }  # fmt: skip
    box = spec.actions
    data["actions"] = {"low": list(box.low), "high": list(box.high)} if isinstance(box, Box) else box
    try:
        return read_network(data)
    except InvalidNetwork as invalid:
        raise BadSetting(str(invalid)) from None


def _dimensions(actions: "int | Box") -> str:
    assert isinstance(actions, Box)
    return "1 number" if len(actions.low) == 1 else f"{len(actions.low)} numbers"


def _space(values: Values) -> PolicySpace:
    return PolicySpace(read_network(values[NETWORK]), values["sigma"])


def _strategy(values: Values, space: Space[Policy]) -> Strategy[Any]:
    parents = 0 if values["strategy"] == "random" else values["parents"]
    sigma = Sigma(values["sigma"], values["sigma_decay"], values["sigma_least"])
    truncation = Truncation(values["population"], parents, sigma, values["candidates"], values["test_episodes"] > 0)
    if values["strategy"] == "novelty":
        return Novelty(truncation, values["neighbours"], values["archive"], values["blend"])
    return truncation


def _options(values: Values) -> dict[str, Any]:
    episodes = [values["episodes"], values["review_episodes"], max(1, values["test_episodes"])]
    return {"episodes": episodes, "starts": values["starts"], "steps": values["steps"], "slots": values["slots"]}


def _plan(values: Values, seed: int) -> Plan:
    return Plan(seed, values["population"], values["depth"], values["pack"], values["max_failures"], review_pack=1)


def describe(text: str, values: Values) -> dict[str, Any]:
    """Size and fingerprint of a policy, and by what its genome is shorter than its parameters.

    Raises:
        InvalidPolicy: the text is not a policy.
    """
    policy = read(text)
    size, count = len(text.encode()), policy.network.parameter_count
    return {
        "kind": "policy",
        "fingerprint": fingerprint(policy),
        "parameters": count,
        "mutations": len(policy.mutations),
        "genome_bytes": size,
        "float32_bytes": 4 * count,
        "compression": 4 * count / size,
    }


def _in_full(values: Values, task: "type[PolicyTask]") -> Values:
    """With the task's own numbers of episodes, so that what is compared played as many."""
    names = ("episodes", "review_episodes", "test_episodes")
    return {**values, **dict(zip(names, (rung.episodes for rung in task.rungs), strict=True))}


def _baseline(text: str, values: Values) -> tuple[str, str, Values]:
    """The same network with its first random weights."""
    return "untrained", write(Policy(read(text).network, 0)), values


KIND = Kind(
    name="policy",
    genome_version=FINGERPRINT_VERSION,
    default_task="gym:CartPole-v1",
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
