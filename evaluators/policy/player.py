"""Playing episodes: slots in which they go on side by side, each filled again as soon as its episode is over."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.errors import InvalidTask, in_a_line
from germline.evaluators.memory import out_of_memory
from germline.evaluators.policy.environments.environment import Environments, Slots, Step
from germline.programs.policy.network import Box, chosen
from germline.programs.policy.noise import Floats

Outputs = Callable[[NDArray[np.int64], NDArray[np.generic]], Floats]
"""What the networks of some policies `[n]` say to what they see, `[n, outputs]`. What is seen may change afterwards."""

Submit = Callable[[NDArray[np.int64], NDArray[np.generic]], Callable[[], Floats]]
"""The same in two steps: begins, and gives a function that waits for what comes out."""

Attend = Callable[[NDArray[np.int64], NDArray[np.bool_]], None]
"""Tells of which slots `[n]` the next rows are, and in which of them an episode begins."""


@dataclass(frozen=True)
class Episode:
    """One to be played: by which policy, and from which seed."""

    policy: int
    seed: int


LARGEST = 1e100
"""Of returns beyond it no mean and no deviation could be told."""


@dataclass(frozen=True)
class Played:
    """What an episode came to: the sum of its rewards, its decisions, what it did, and what went wrong, if anything."""

    total: float
    steps: int
    behaviour: tuple[float, ...]
    error: str | None = None

    @property
    def diverged(self) -> bool:
        """Whether its return is no number, or too large for one to count with."""
        return not abs(self.total) <= LARGEST


def play(
    outputs: Outputs,
    actions: int | Box,
    environments: Environments,
    episodes: Sequence[Episode],
    steps: int,
    attend: Attend | None = None,
    submit: Submit | None = None,
) -> list[Played]:
    """Plays all episodes; what one comes to does not depend on the others.

    Args:
        outputs: the networks.
        actions: what their outputs are read as.
        environments: whose slots are used.
        episodes: what is played, in this order.
        steps: after so many decisions an episode is over.
        attend: for networks that keep something from one decision to the next.
        submit: for networks on another device. The slots are then two halves: while the networks of one half are busy,
            the environments of the other one are stepped.

    Raises:
        InvalidTask: see `stepped`.
    """
    choose = chooser(actions)
    policies = np.array([one.policy for one in episodes], np.int64)
    found: list[Played | None] = [None] * len(episodes)
    totals = np.zeros(environments.slots)
    begun = np.zeros(environments.slots, np.int64)
    playing = np.full(environments.slots, -1, np.int64)
    waiting = 0

    def fill(free: NDArray[np.int64], now: int) -> None:
        """Begins the next episodes in slots that are free; an environment that cannot begin has failed its episode."""
        nonlocal waiting
        while free.size and waiting < len(episodes):
            places = np.arange(waiting, min(waiting + free.size, len(episodes)))
            here, waiting = free[: places.size], waiting + places.size
            failed = _begin(environments, here, [episodes[place].seed for place in places.tolist()])
            for i, error in failed.items():
                found[places[i]] = Played(0.0, 0, (), error)
            well = [i for i in range(places.size) if i not in failed]
            totals[here], begun[here], playing[here[well]] = 0.0, now, places[well]
            free = np.delete(free, well)

    def side(active: NDArray[np.int64]) -> Iterator[None]:
        """Plays in some slots until nothing is left; yields while the networks are busy elsewhere."""
        now = 0
        fill(active, now)
        while (active := active[playing[active] >= 0]).size:
            whose, every = policies[playing[active]], active.size == environments.slots
            total, due = totals[active], begun[active].min() + steps
            if attend:
                attend(active, begun[active] == now)
            going = True
            while going:  # the same slots, until an episode is over
                seen = environments.observations if every else environments.observations[active]
                if submit:
                    said = submit(whose, seen)
                    yield
                    step = stepped(environments, active, choose(said()))
                else:
                    step = stepped(environments, active, choose(outputs(whose, seen)))
                total += step.rewards
                now += 1
                going = now < due and not step.over.any() and bool(np.isfinite(total).all())
            totals[active] = total
            over = step.over | (now - begun[active] >= steps) | ~np.isfinite(total)
            ended = active[over]
            for slot, behaviour, place in zip(ended, environments.behaviour(ended), np.flatnonzero(over), strict=True):
                found[playing[slot]] = Played(
                    float(totals[slot]),
                    int(now - begun[slot]),
                    tuple(map(float, behaviour)),
                    step.failed.get(int(place)),
                )
            playing[ended] = -1
            fill(ended, now)

    slots = np.arange(min(environments.slots, len(episodes)))
    sides = deque(side(half) for half in np.array_split(slots, 2 if submit else 1))
    while sides:
        one = sides.popleft()
        if next(one, one) is None:
            sides.append(one)
    return [one for one in found if one is not None]


def stepped(environments: Environments, slots: Slots, actions: NDArray[Any]) -> Step:
    """One decision in each of some slots.

    Raises:
        InvalidTask: that raised for all of them at once. Whose fault it was is not known, so no episode can be blamed:
            who scores a pack scores each of its genomes alone then.
    """
    try:
        return environments.step(slots, actions)
    except Exception as error:
        if out_of_memory(error):
            raise
        raise InvalidTask(f"expected a step of the environments, got {in_a_line(error)}") from error


def _begin(environments: Environments, slots: NDArray[np.int64], seeds: Sequence[int]) -> dict[int, str]:
    """Begins an episode in each slot. Gives what was raised, by place in the row of slots."""
    try:
        environments.reset(slots, seeds)
        return {}
    except Exception as error:
        if len(slots) == 1:
            return {0: in_a_line(error)}
    failed = [_begin(environments, slots[i : i + 1], seeds[i : i + 1]) for i in range(len(slots))]
    return {i: one[0] for i, one in enumerate(failed) if one}


def chooser(actions: int | Box) -> Callable[[Floats], NDArray[np.generic]]:
    """From outputs to actions."""
    return partial(chosen, actions)
