"""Behaviour descriptors of policies, read from outcomes: what an episode did, such as where it ended, as numbers."""

from itertools import count, takewhile

from germline.evaluators.outcome import Outcome
from germline.search.failures import SearchFailed


def descriptor(outcome: Outcome, least: int = 1) -> tuple[float, ...]:
    """The behaviour descriptor of a policy: the measures `behaviour_0`, `behaviour_1`, …

    Args:
        outcome: of a policy, with the status ok.
        least: how many numbers the strategy needs.

    Raises:
        SearchFailed: the task reports fewer numbers.
    """
    names = takewhile(outcome.measures.__contains__, (f"behaviour_{number}" for number in count()))
    values = tuple(outcome.measures[name] for name in names)
    if len(values) < least:
        numbers = "" if least == 1 else f" of at least {least} numbers"
        raise SearchFailed(
            f"expected a task that reports behaviour descriptors{numbers}, which the strategy needs, got "
            f"{len(values) or 'none'}; --set strategy=truncation"
        )
    return values
