"""The settings that operators from outside need, for the settings dataclass of each kind to inherit.

A kind inherits `ProposerSettings`, or `LanguageModelSettings` if a language model can be asked for its genomes, and
declares its own setting `operators`, with `shares_setting` unless it has operators of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from germline.search.proposers.names import operator_weights
from germline.search.settings import setting
from germline.search.value_parsers import any_text, number, positive, whole


def shares_setting(language_model: bool) -> Mapping[str, float]:
    """The setting `operators` of a kind whose own operators have no weights: shares of operators from outside alone.

    Args:
        language_model: whether `llm` may be among them; if so, the kind inherits `LanguageModelSettings`.
    """
    return setting(
        {},
        operator_weights(language_model=language_model),
        f"operators from outside ({'llm, ' * language_model}FILE.py:function) with their share of the births, or none",
        operator_weights(language_model=language_model, recorded=True),
    )


@dataclass(frozen=True, slots=True)
class ProposerSettings:
    """The settings of every operator from outside."""

    proposal_seconds: float = setting(
        120.0, positive, "seconds after which an operator from outside is given up for a birth"
    )


@dataclass(frozen=True, slots=True)
class LanguageModelSettings(ProposerSettings):
    """Also those of the operator `llm`: the service that it asks, and its caps."""

    llm_url: str = setting(
        "",
        any_text,
        "operator llm: address of a service that speaks OpenAI's chat protocol, such as http://host:8000/v1",
    )
    llm_model: str = setting("", any_text, "operator llm: name of the model")
    llm_calls: int = setting(500, whole(0), "operator llm: most calls of the run")
    llm_tokens: int = setting(
        2_000_000, whole(0, 2**31 - 1), "operator llm: no call begins after so many tokens of the run"
    )
    llm_answer: int = setting(2_000, whole(16, 100_000), "operator llm: most tokens of an answer")
    llm_temperature: float = setting(1.0, number(0, 2), "operator llm: temperature")
