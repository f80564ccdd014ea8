"""The kind `policy`: weights of a network, scored by playing episodes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from germline.programs.policy.evolution import MOST_RANK
from germline.programs.policy.genome import FINGERPRINT_VERSION, Policy, fingerprint, read, write
from germline.programs.policy.network_data import read_network
from germline.programs.policy.space import PolicySpace
from germline.search.behaviour_map import MOST_VORONOI_CELLS
from germline.search.kind import Kind, Preset
from germline.search.kinds.policy_evolution import check_settings_of_openai_es, openai_es, sep_cma_es
from germline.search.kinds.policy_map import (
    map_layout_for,
    map_layout_of,
    parse_behaviours,
    parse_bounds,
    parse_cells,
    parse_offset,
)
from germline.search.kinds.policy_network import (
    behaviour_length,
    check_own_network,
    network_for,
    with_normalisation,
)
from germline.search.loop import LoopSettings
from germline.search.proposers.settings import ProposerSettings, shares_setting
from germline.search.settings import BadSetting, setting
from germline.search.strategies.map_elites import MapElites
from germline.search.strategies.novelty import Novelty
from germline.search.strategies.truncation import Sigma, Truncation
from germline.search.strategy import Strategy
from germline.search.value_parsers import choice, number, positive, share, whole, widths

if TYPE_CHECKING:
    from germline.evaluators.policy.task import PolicyTask


def _truncation(settings: "PolicySettings", space: PolicySpace) -> Truncation:
    return _deep_ga(settings, space, settings.parents)


def _novelty(settings: "PolicySettings", space: PolicySpace) -> Strategy[Any]:
    deep_ga = _deep_ga(settings, space, settings.parents)
    return Novelty(deep_ga, settings.neighbours, settings.archive, settings.blend)


def _map_elites(settings: "PolicySettings", space: PolicySpace) -> Strategy[Any]:
    return MapElites(_deep_ga(settings, space, parents=0), map_layout_of(settings))


def _openai_es(settings: "PolicySettings", space: PolicySpace) -> Strategy[Any]:
    return openai_es(settings, _deep_ga(settings, space, parents=0))


def _sep_cma_es(settings: "PolicySettings", space: PolicySpace) -> Strategy[Any]:
    return sep_cma_es(settings, _deep_ga(settings, space, parents=0))


def _random(settings: "PolicySettings", space: PolicySpace) -> Strategy[Any]:
    return _deep_ga(settings, space, parents=0)


def _deep_ga(settings: "PolicySettings", space: PolicySpace, parents: int) -> Truncation:
    sigma = Sigma(settings.sigma, settings.sigma_decay, settings.sigma_least)
    return Truncation(space, settings.population, parents, sigma, settings.candidates, settings.test_episodes > 0)


STRATEGIES: Mapping[str, Callable[["PolicySettings", PolicySpace], Strategy[Any]]] = {
    "truncation": _truncation,
    "novelty": _novelty,
    "map-elites": _map_elites,
    "openai-es": _openai_es,
    "sep-cma-es": _sep_cma_es,
    "random": _random,
}


@dataclass(frozen=True, slots=True)
class PolicySettings(ProposerSettings):
    """Settings of a search for policies.

    `--set` does not take `network_data`, the network that all policies of the run share, in the form of `Network.data`,
    nor `map_data`, the cells of the map of `map-elites`, in the form of `MapLayout.data`. Both are None until the run
    is created, and `map_data` is None for other strategies.
    """

    strategy: str = setting("truncation", choice(*STRATEGIES), f"search strategy: {', '.join(STRATEGIES)}")
    population: int = setting(100, whole(2), "births in a generation, which is a block")
    operators: Mapping[str, float] = shares_setting(language_model=False)
    parents: int = setting(10, whole(1), "individuals that may have children, including the elite")
    neighbours: int = setting(
        25, whole(1, 100_000), "novelty: number of nearest behaviour descriptors in the mean distance"
    )
    archive: float = setting(0.01, share, "novelty: probability that a birth enters the archive")
    blend: float = setting(0.0, share, "novelty: weight of the return in the choice of parents; 0: novelty alone")
    behaviours: Sequence[int] | Literal["all"] = setting(
        "all", parse_behaviours, "map-elites: components of the behaviour, from 0, that are mapped, as in 0,3, or all"
    )
    cells: Sequence[int] = setting(
        [20], parse_cells, "map-elites: cells of the grid along each mapped behaviour, as in 20,40; one number: for all"
    )
    bounds: Sequence[str] = setting(
        ["auto"],
        parse_bounds,
        "map-elites: range LOW:HIGH of each mapped behaviour; auto: the task's, else learned from the first generation",
    )
    voronoi: int = setting(
        0,
        whole(0, MOST_VORONOI_CELLS),
        "map-elites: cells of a Voronoi map in place of a grid; 0: a grid, or 1000 of them for four behaviours or more",
    )
    qd_offset: float | Literal["auto"] = setting(
        "auto", parse_offset, "map-elites: fitness that counts 0 in the QD score; auto: the lowest of the run"
    )
    sigma: float = setting(0.05, number(1e-9, 1e6), "standard deviation of a mutation, or of the noise of members")
    sigma_decay: float = setting(1.0, number(1e-6, 1), "factor of sigma after each generation")
    sigma_least: float = setting(0.0, number(0, 1e6), "lower bound of sigma")
    optimizer: Literal["adam", "sgd"] = setting(
        "adam", choice("adam", "sgd"), "openai-es: what moves the mean: adam, or sgd with momentum 0.9"
    )
    rate: float = setting(0.01, number(1e-9, 1e6), "openai-es: learning rate")
    decay: float = setting(0.0, number(0, 1e6), "openai-es: weight decay")
    rank: int = setting(0, whole(0, MOST_RANK), "openai-es: rank of the noise of each weight matrix; 0: full")
    episodes: int = setting(1, whole(1, 100_000), "episodes that score a birth")
    starts: Literal["own", "common"] = setting(
        "own", choice("own", "common"), "episodes of different births: own (different) or common (the same)"
    )
    candidates: int = setting(
        10, whole(0, 1_000), "individuals reviewed after a generation, including the old elite; 0: none"
    )
    review_episodes: int = setting(30, whole(1, 100_000), "episodes of a review")
    test_episodes: int = setting(200, whole(0, 1_000_000), "episodes that the winner plays at the end; 0: no test")
    steps: int = setting(0, whole(0), "most decisions in an episode; 0: the task's own limit")
    network: Literal["auto", "mlp", "conv"] = setting(
        "auto",
        choice("auto", "mlp", "conv"),
        "form of the network: mlp or conv; auto: the task's own, else conv for images of 0 to 255, else mlp",
    )
    hidden: Sequence[int] = setting([32, 32], widths(10_000), "mlp: units of the hidden layers; none: a linear network")
    activation: Literal["tanh", "relu"] = setting("tanh", choice("tanh", "relu"), "mlp: activation")
    normalise: Literal["off", "on"] = setting(
        "off", choice("off", "on"), "mlp and own networks: normalise observations by statistics of untrained policies"
    )
    padding: Literal["same", "valid"] = setting(
        "same", choice("same", "valid"), "conv: pad the borders of images (same) or cut them (valid)"
    )
    actions: Literal["auto", "discrete", "continuous"] = setting(
        "auto",
        choice("auto", "discrete", "continuous"),
        "actions that the task must have: discrete or continuous; auto: either",
    )
    depth: int = setting(0, whole(0, 8), "generations in flight beyond the generation that is being scored")
    pack: int = setting(50, whole(1, 100_000), "most policies scored in one job; a generation is divided evenly")
    slots: int = setting(0, whole(0, 100_000), "episodes played side by side in a process; 0: the task's own number")
    max_failures: int = setting(50, whole(1), "the search stops after this many failures in a row")
    timeout: float = setting(
        600.0, positive, "seconds before the worker of a job is replaced, 10 times as many in reviews (Ray only)"
    )
    network_data: Mapping[str, Any] | None = None
    map_data: Mapping[str, Any] | None = None


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
        "novelty search in a deceptive maze: 250 births a generation, 10 parents, σ 0.05",
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


class PolicyKind(Kind[PolicySettings, Policy]):
    """Weights of a network."""

    name = "policy"
    genome_version = FINGERPRINT_VERSION
    default_task = "gym:CartPole-v1"
    settings_class = PolicySettings
    presets = PRESETS
    strategies = STRATEGIES
    score_settings = ("steps",)

    def prepare(self, settings: PolicySettings, task: "type[PolicyTask]") -> PolicySettings:
        check_settings_of_openai_es(settings, PolicySettings())
        network = network_for(settings, task)
        if settings.strategy == "novelty" and behaviour_length(task) == 0:
            raise BadSetting(
                f"expected a task that reports behaviour descriptors, from which novelty is computed, got {task.name}; "
                "--set strategy=truncation"
            )
        if settings.candidates and settings.review_episodes < settings.episodes:
            raise BadSetting(
                f"expected review_episodes of at least episodes, which is {settings.episodes}, got "
                f"{settings.review_episodes}: a review must be more reliable than a score; "
                f"--set review_episodes={2 * settings.episodes}"
            )
        network = with_normalisation(network, settings, task)
        settings = replace(settings, network_data=network.data())
        if settings.strategy == "map-elites":
            settings = replace(settings, map_data=map_layout_for(settings, task).data())
        self.strategy(settings, self.space(settings))
        return settings

    def check_task(self, settings: PolicySettings, task: "type[PolicyTask]") -> None:
        check_own_network(read_network(settings.network_data), task)

    def space(self, settings: PolicySettings) -> PolicySpace:
        return PolicySpace(read_network(settings.network_data), settings.sigma)

    def evaluator_options(self, settings: PolicySettings) -> dict[str, Any]:
        episodes = [settings.episodes, settings.review_episodes, max(1, settings.test_episodes)]
        return {"episodes": episodes, "starts": settings.starts, "steps": settings.steps, "slots": settings.slots}

    def language(self, settings: PolicySettings) -> str:
        return (
            "A policy is one line of JSON: a network, the seed of its initial weights, and for each mutation the seed "
            "and the standard deviation of the noise that it adds. A child appends pairs to `mutations`."
        )

    def required_measures(self, settings: PolicySettings, task: "type[PolicyTask]") -> Sequence[str]:
        if settings.strategy == "map-elites":
            return [f"behaviour_{number}" for number in range(1 + max(map_layout_of(settings).behaviours))]
        return ("behaviour_0",) if settings.strategy == "novelty" else ()

    def loop_settings(self, settings: PolicySettings, seed: int) -> LoopSettings:
        # As many packs as there must be, all of about the same size, since a generation waits for the last of them.
        packs = -(-settings.population // settings.pack)
        pack = -(-settings.population // packs)
        return LoopSettings(seed, settings.population, settings.depth, pack, settings.max_failures, review_pack=1)

    def describe(self, text: str, settings: PolicySettings | None, **size: Any) -> dict[str, Any]:
        """As `Kind.describe`, with `compression`: bytes of the parameters as float32 by bytes of the genome."""
        if size:
            raise BadSetting(f"expected no {', '.join(size)} for a policy: these are of architectures")
        policy = read(text)
        genome_bytes, parameters = len(text.encode()), policy.network.parameter_count
        return {
            "kind": self.name,
            "fingerprint": fingerprint(policy),
            "parameters": parameters,
            "mutations": len(policy.mutations) - policy.generations,
            "generations": policy.generations,
            "genome_bytes": genome_bytes,
            "float32_bytes": 4 * parameters,
            "compression": 4 * parameters / genome_bytes,
        }

    def in_full(self, settings: PolicySettings, task: "type[PolicyTask]") -> PolicySettings:
        """Replaces numbers of episodes by those of the task, so that all contenders play equally many."""
        episodes, review_episodes, test_episodes = (rung.episodes for rung in task.rungs)
        return replace(settings, episodes=episodes, review_episodes=review_episodes, test_episodes=test_episodes)

    def baseline(self, text: str, settings: PolicySettings) -> tuple[str, str, PolicySettings]:
        """The same network with the initial weights of seed 0, and without mutations."""
        return "untrained", write(Policy(read(text).network, 0)), settings
