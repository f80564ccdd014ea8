"""Which networks have learnt something: those with fewer errors than always answering one class."""

from collections.abc import Mapping, Sequence

from germline.search.individual import Scored


def beats_chance(objectives: Mapping[str, float], chance_error: float | None) -> bool:
    """Whether a network's `validation_error` is below `chance_error`, in percent; True if that is None."""
    return chance_error is None or objectives["validation_error"] < chance_error


def with_skill(front: Sequence[Scored], chance_error: float | None) -> Sequence[Scored]:
    """The individuals of a front that beat chance; all of them if none does. Without this filter the knee may be a tiny
    network that has learnt nothing."""
    return [scored for scored in front if beats_chance(scored.outcome.objectives, chance_error)] or front
