"""Plays episodes side by side in slots of environments; a slot gets the next episode as soon as its own is over."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.errors import InvalidTask, in_a_line
from germline.evaluators.memory import out_of_memory
from germline.evaluators.policy.environments.environment import Environments, Slots, Step
from germline.programs.policy.network import Box, choose_actions
from germline.programs.policy.noise import Floats

Forward = Callable[[NDArray[np.int64], NDArray[np.generic]], Floats]
"""`Networks.forward`: from policies `[n]` and observations `[n, *observation]` to outputs `[n, outputs]`. The
observations may be overwritten afterwards."""

ForwardAsync = Callable[[NDArray[np.int64], NDArray[np.generic]], Callable[[], Floats]]
"""`Networks.forward_async`: starts a forward pass and returns a function that waits for its outputs."""

AssignSlots = Callable[[NDArray[np.int64], NDArray[np.bool_]], None]
"""`Networks.assign_slots`: the slots `[n]` of the next batches' rows, and in which of them an episode begins `[n]`."""


@dataclass(frozen=True)
class Episode:
    """An episode to play: the index of its policy, and the seed of its environment."""

    policy: int
    seed: int


LARGEST_RETURN = 1e100
"""Larger returns would overflow the variance; they count as diverged."""


@dataclass(frozen=True)
class EpisodeResult:
    """Result of an episode.

    Args:
        total_reward: the return, a sum of rewards without discount.
        steps: number of decisions.
        behaviour: behaviour descriptor; empty if the environment reports none, or if the episode could not begin.
        error: what the environment raised, in one line; None if it raised nothing.
    """

    total_reward: float
    steps: int
    behaviour: tuple[float, ...]
    error: str | None = None

    @property
    def diverged(self) -> bool:
        """Whether the return is NaN or beyond ±`LARGEST_RETURN`."""
        return not abs(self.total_reward) <= LARGEST_RETURN


def play(
    forward: Forward,
    actions: int | Box,
    environments: Environments,
    episodes: Sequence[Episode],
    max_steps: int,
    assign_slots: AssignSlots | None = None,
    forward_async: ForwardAsync | None = None,
) -> list[EpisodeResult]:
    """Results of all episodes, in their order. No result depends on the other episodes or on the number of slots.

    Args:
        forward: forward pass of the policies' networks.
        actions: number of discrete actions, or the box of continuous actions.
        environments: environments whose slots are used.
        episodes: episodes to play.
        max_steps: decisions after which an episode is cut.
        assign_slots: `Networks.assign_slots` of networks that keep state between decisions; None for others.
        forward_async: `Networks.forward_async` of networks on another device, used instead of `forward`. The slots are
            then split in two halves: the environments of one half step while the networks of the other half compute.
            None: `forward` is used.

    Raises:
        InvalidTask: see `step_environments`.
    """
    queue = _EpisodeQueue(environments, episodes, max_steps)

    def play_slots(active: Slots) -> Iterator[None]:
        """Plays in some slots until the queue is empty; yields while the networks compute on another device."""
        now = 0  # number of decisions so far in these slots
        queue.fill(active, now)
        while (active := active[queue.busy(active)]).size:
            policies, all_slots = queue.policies_in(active), active.size == environments.slots
            totals, deadline = queue.totals[active], queue.deadline(active)
            if assign_slots:
                assign_slots(active, queue.began_at[active] == now)
            same_slots = True
            while same_slots:  # until an episode is over; values that depend on the slots are computed before
                observations = environments.observations if all_slots else environments.observations[active]
                if forward_async:
                    wait_for_outputs = forward_async(policies, observations)
                    yield
                    outputs = wait_for_outputs()
                else:
                    outputs = forward(policies, observations)
                step = step_environments(environments, active, choose_actions(actions, outputs))
                totals += step.rewards
                now += 1
                same_slots = now < deadline and not step.over.any() and bool(np.isfinite(totals).all())
            queue.totals[active] = totals
            queue.fill(queue.finish(active, step, now), now)

    slots = np.arange(min(environments.slots, len(episodes)))
    players = deque(play_slots(part) for part in np.array_split(slots, 2 if forward_async else 1))
    exhausted = object()
    while players:
        player = players.popleft()
        if next(player, exhausted) is not exhausted:
            players.append(player)
    return [result for result in queue.results if result is not None]


class _EpisodeQueue:
    """Episodes that wait for a slot, the episode that each slot plays, and the results of episodes that are over."""

    def __init__(self, environments: Environments, episodes: Sequence[Episode], max_steps: int) -> None:
        self.environments = environments
        self.episodes = episodes
        self.max_steps = max_steps
        self.policies = np.array([episode.policy for episode in episodes], np.int64)
        self.results: list[EpisodeResult | None] = [None] * len(episodes)
        self.next = 0
        """Index of the first episode that has not begun."""
        self.current = np.full(environments.slots, -1, np.int64)
        """Index of the episode of each slot; -1 if the slot is free."""
        self.totals = np.zeros(environments.slots)
        """Sum of rewards of the episode of each slot."""
        self.began_at = np.zeros(environments.slots, np.int64)
        """Number of decisions in the slot when its current episode began."""

    def busy(self, slots: Slots) -> NDArray[np.bool_]:
        return self.current[slots] >= 0

    def policies_in(self, slots: Slots) -> NDArray[np.int64]:
        return self.policies[self.current[slots]]

    def deadline(self, slots: Slots) -> int:
        """Number of decisions at which the first of the slots reaches `max_steps`."""
        return int(self.began_at[slots].min()) + self.max_steps

    def fill(self, free: Slots, now: int) -> None:
        """Begins the next episodes in free slots. An episode that the environment cannot begin has failed."""
        while free.size and self.next < len(self.episodes):
            places = np.arange(self.next, min(self.next + free.size, len(self.episodes)))
            slots, self.next = free[: places.size], self.next + places.size
            errors = _reset(self.environments, slots, [self.episodes[place].seed for place in places.tolist()])
            for i, error in errors.items():
                self.results[places[i]] = EpisodeResult(0.0, 0, (), error)
            begun = [i for i in range(places.size) if i not in errors]
            self.totals[slots], self.began_at[slots], self.current[slots[begun]] = 0.0, now, places[begun]
            free = np.delete(free, begun)

    def finish(self, slots: Slots, step: Step, now: int) -> Slots:
        """Records the results of episodes that ended with this step of the slots. Returns the slots that are free."""
        over = step.over | (now - self.began_at[slots] >= self.max_steps) | ~np.isfinite(self.totals[slots])
        ended = slots[over]
        rows = np.flatnonzero(over)
        for slot, behaviour, row in zip(ended, self.environments.behaviour(ended), rows, strict=True):
            self.results[self.current[slot]] = EpisodeResult(
                float(self.totals[slot]),
                int(now - self.began_at[slot]),
                tuple(map(float, behaviour)),
                step.failed.get(int(row)),
            )
        self.current[ended] = -1
        return ended


def step_environments(environments: Environments, slots: Slots, actions: NDArray[Any]) -> Step:
    """Makes one decision in each of the given slots.

    Raises:
        InvalidTask: the environments raised an error for all slots at once. It cannot be assigned to an episode, so
            the executor scores the pack again in parts. Errors of exhausted memory are raised as they are.
    """
    try:
        return environments.step(slots, actions)
    except Exception as error:
        if out_of_memory(error):
            raise
        raise InvalidTask(f"expected a step of the environments, got {in_a_line(error)}") from error


def _reset(environments: Environments, slots: Slots, seeds: Sequence[int]) -> dict[int, str]:
    """Begins an episode in each slot. Returns what the environments raised, by index in `slots`."""
    try:
        environments.reset(slots, seeds)
        return {}
    except Exception as error:
        if len(slots) == 1:
            return {0: in_a_line(error)}
    errors = [_reset(environments, slots[i : i + 1], seeds[i : i + 1]) for i in range(len(slots))]
    return {i: error[0] for i, error in enumerate(errors) if error}
