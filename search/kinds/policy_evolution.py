"""The evolution strategies of a policy search, which follow from its settings."""

from typing import Final, Literal, Protocol

from germline.programs.policy.evolution import MOST_PAIRS, OpenAiEs, Rule, SeparableCma
from germline.search.settings import BadSetting
from germline.search.strategies.evolution_strategy import EvolutionStrategy
from germline.search.strategies.truncation import Truncation

OF_OPENAI_ES: Final = ("optimizer", "rate", "decay", "rank")
"""The settings that the strategy `openai-es` alone uses."""


class EvolutionSettings(Protocol):
    """The settings of a policy search that decide its evolution strategy (`PolicySettings` has them)."""

    @property
    def strategy(self) -> str: ...
    @property
    def population(self) -> int: ...
    @property
    def depth(self) -> int: ...
    @property
    def optimizer(self) -> Literal["adam", "sgd"]: ...
    @property
    def rate(self) -> float: ...
    @property
    def decay(self) -> float: ...
    @property
    def rank(self) -> int: ...


def openai_es(settings: EvolutionSettings, deep_ga: Truncation) -> EvolutionStrategy:
    """OpenAI-ES, of which `deep_ga` chooses the winner.

    Raises:
        BadSetting: the strategy does not support the population or the depth.
    """
    rule = OpenAiEs(settings.optimizer, settings.rate, settings.decay, settings.rank)
    return _evolution_strategy(settings, deep_ga, rule)


def sep_cma_es(settings: EvolutionSettings, deep_ga: Truncation) -> EvolutionStrategy:
    """sep-CMA-ES, of which `deep_ga` chooses the winner.

    Raises:
        BadSetting: the strategy does not support the population or the depth.
    """
    return _evolution_strategy(settings, deep_ga, SeparableCma(settings.population - 1))


def check_settings_of_openai_es(settings: EvolutionSettings, defaults: EvolutionSettings) -> None:
    """Checks that settings which `openai-es` alone uses have their defaults under other strategies, since a weight
    decay, say, would have no effect there without a word.

    Raises:
        BadSetting: such a setting has another value.
    """
    for name in OF_OPENAI_ES if settings.strategy != "openai-es" else ():
        value, default = getattr(settings, name), getattr(defaults, name)
        if value != default:
            raise BadSetting(
                f"expected {name}={default} for strategy={settings.strategy}, which does not use it, got "
                f"{name}={value}; --set strategy=openai-es"
            )


def _evolution_strategy(settings: EvolutionSettings, deep_ga: Truncation, rule: Rule) -> EvolutionStrategy:
    if settings.depth:
        raise BadSetting(
            f"expected depth=0 for strategy={settings.strategy}, whose generations each need the last, got "
            f"depth={settings.depth}"
        )
    if not 3 <= settings.population <= 2 * MOST_PAIRS + 1:
        raise BadSetting(
            f"expected a population of 3 to {2 * MOST_PAIRS + 1:,} for strategy={settings.strategy}, got "
            f"{settings.population:,}"
        )
    return EvolutionStrategy(deep_ga, rule)
