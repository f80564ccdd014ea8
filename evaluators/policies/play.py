"""Playing episodes: slots in which they go on side by side, each filled again as soon as its episode is over."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.policy_task import Environments
from germline.programs.policy.network import Box
from germline.programs.policy.noise import Floats

Outputs = Callable[[NDArray[np.int64], NDArray[np.generic]], Floats]
"""What the networks of some policies `[n]` say to what they see, `[n, outputs]`."""


@dataclass(frozen=True)
class Episode:
    """One to be played: by which policy, and from which seed."""

    policy: int
    seed: int


@dataclass(frozen=True)
class Played:
    """What an episode came to: the sum of its rewards, its decisions, what it did, and what went wrong, if anything."""

    total: float
    steps: int
    behaviour: tuple[float, ...]
    error: str | None = None


def play(
    outputs: Outputs, actions: int | Box, environments: Environments, episodes: Sequence[Episode], steps: int
) -> list[Played]:
    """Plays all episodes; what one comes to does not depend on the others.

    Args:
        outputs: the networks.
        actions: what their outputs are read as.
        environments: whose slots are used.
        episodes: what is played, in this order.
        steps: after so many decisions an episode is over.
    """
    choose = chooser(actions)
    policies = np.array([one.policy for one in episodes], np.int64)
    found: list[Played | None] = [None] * len(episodes)
    totals = np.zeros(environments.slots)
    lengths = np.zeros(environments.slots, np.int64)
    playing = np.full(environments.slots, -1, np.int64)
    waiting = 0

    def fill(free: NDArray[np.int64]) -> None:
        """Begins the next episodes in slots that are free; an environment that cannot begin has failed its episode."""
        nonlocal waiting
        for slot in free:
            playing[slot] = -1
            while playing[slot] < 0 and waiting < len(episodes):
                try:
                    environments.reset(np.array([slot]), [episodes[waiting].seed])
                    totals[slot], lengths[slot], playing[slot] = 0.0, 0, waiting
                except Exception as error:
                    found[waiting] = Played(0.0, 0, (), in_a_line(error))
                waiting += 1

    fill(np.arange(environments.slots))
    while (active := np.flatnonzero(playing >= 0)).size:
        chosen = choose(outputs(policies[playing[active]], environments.observations[active]))
        step = environments.step(active, chosen)
        totals[active] += step.rewards
        lengths[active] += 1
        over = step.over | (lengths[active] >= steps) | ~np.isfinite(totals[active])
        ended = active[over]
        if ended.size:
            did = environments.behaviour(ended)
            for slot, behaviour, place in zip(ended, did, np.flatnonzero(over), strict=True):
                error = step.failed.get(int(place))
                found[playing[slot]] = Played(
                    float(totals[slot]), int(lengths[slot]), tuple(map(float, behaviour)), error
                )
            fill(ended)
    return [one for one in found if one is not None]


def chooser(actions: int | Box) -> Callable[[Floats], NDArray[np.generic]]:
    """From outputs to actions: the first of the largest outputs, or each output from -1 to 1 scaled to the box."""
    if isinstance(actions, int):
        return lambda outputs: outputs.argmax(1)
    low, high = np.array(actions.low), np.array(actions.high)
    return lambda outputs: (low + (np.clip(outputs.astype(np.float64), -1, 1) + 1) / 2 * (high - low)).astype(
        np.float32
    )


def in_a_line(error: BaseException) -> str:
    text = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {text:.300}"
