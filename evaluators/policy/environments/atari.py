"""Games of the Atari 2600 (Bellemare et al. 2013), seen as Mnih et al. (2015) and Deep GA (Such et al. 2017) see them.

A decision lasts four frames. What is seen of it is the larger of the last two, grey, made smaller to 84×84 as OpenCV's
INTER_AREA does, and stacked on what the three decisions before left to see. Rewards are the game's points.

An episode begins in the same state of the machine, after 1 to 30 frames without an action. ale-py's own vector
environment gives the same images and points, but loads a game anew for each seed, which takes as long as 300 decisions
do, and steps all of its machines or none.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.errors import InvalidTask, UnknownTask
from germline.evaluators.policy.environments.environment import EnvironmentSpec, Slots, Step
from germline.programs.compiling import compiled

FRAMES, STACKED, SIDE = 4, 4, 84
STEPS = 5_000
"""The most decisions in an episode: 20,000 frames, as in Deep GA."""

NO_OPS = 30
"""An episode begins after 1 to so many frames without an action."""


class AtariEnvironments:
    """A game in slots, a machine for each.

    Args:
        game: its name in ale-py, such as `frostbite`.
        slots: how many.
        sticky: the probability with which a frame repeats the action of the frame before (Machado et al. 2018).

    Raises:
        UnknownTask, InvalidTask: as `machine`.
    """

    pace = 60 // FRAMES
    """How many decisions make a second."""

    def __init__(self, game: str, slots: int, sticky: float = 0.0) -> None:
        self.slots = slots
        self.sticky = sticky
        self.machines = [machine(game) for _ in range(slots)]
        self.starts = [one.cloneState() for one in self.machines]
        self.actions = self.machines[0].getMinimalActionSet()
        self.nothing = _ale(game).Action.NOOP
        self.held = [self.nothing] * slots
        self.random = [np.random.default_rng(0)] * slots
        self.observations = np.zeros((slots, STACKED, SIDE, SIDE), np.uint8)
        height, width = self.machines[0].getScreenDims()
        self.frames = np.zeros((2, height, width), np.uint8)
        self.lines, self.columns = cells(height, SIDE), cells(width, SIDE)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        for slot, seed in zip(slots.tolist(), seeds, strict=True):
            self.random[slot] = np.random.default_rng(seed)
            self.begin(slot, int(self.random[slot].integers(1, NO_OPS + 1)))

    def begin(self, slot: int, no_ops: int) -> None:
        """Begins an episode after so many frames without an action."""
        played = self.machines[slot]
        played.reset_game()  # a state leaves out some of the machine (paddles, what Q*bert and Tetris draw from)
        played.restoreState(self.starts[slot])
        for _ in range(no_ops):
            played.act(self.nothing)
        self.held[slot] = self.nothing
        self.observations[slot] = 0
        for frame in self.frames:
            played.getScreenGrayscale(frame)
        self._see(slot)

    def step(self, slots: Slots, actions: NDArray[Any]) -> Step:
        rewards, over = np.zeros(len(slots)), np.zeros(len(slots), bool)
        for i, (slot, action) in enumerate(zip(slots.tolist(), actions.tolist(), strict=True)):
            rewards[i], over[i] = self._decide(slot, self.actions[action])
        return Step(rewards, over)

    def _decide(self, slot: int, action: Any) -> tuple[int, bool]:
        """Four frames of a game: its points, and whether it is over; what is seen then is not brought up to date."""
        played, points = self.machines[slot], 0
        for frame in range(FRAMES):
            if not self.sticky or self.random[slot].random() >= self.sticky:
                self.held[slot] = action
            points += played.act(self.held[slot])
            if played.game_over():
                return points, True
            if frame >= FRAMES - 2:
                played.getScreenGrayscale(self.frames[frame - FRAMES])
        self._see(slot)
        return points, False

    def _see(self, slot: int) -> None:
        seen = self.observations[slot]
        seen[:-1] = seen[1:]
        shrink(self.frames[0], self.frames[1], *self.lines, *self.columns, seen[-1])

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        """Nothing."""
        return np.zeros((len(slots), 0))

    def picture(self, slot: int) -> NDArray[np.uint8]:
        """The last frame in colour, uint8 `[height, width, 3]`."""
        found: NDArray[np.uint8] = self.machines[slot].getScreenRGB()
        return found

    def close(self) -> None:
        return


def machine(game: str) -> Any:
    """A machine with a game in it, about to begin.

    Raises:
        UnknownTask: there is no such game.
        InvalidTask: ale-py is missing, or knows no points of this game.
    """
    ale = _ale(game)
    from ale_py import roms

    known = sorted(roms.get_all_rom_ids())
    if game not in known:
        near = get_close_matches(game.lower(), known, n=1, cutoff=0.0)
        raise UnknownTask(f"expected a game of ale-py, got {game!r:.60}; the nearest is atari:{near[0]}")
    ale.ALEInterface.setLoggerMode(ale.LoggerMode.Error)
    path = roms.get_rom_path(game)
    if ale.ALEInterface.isSupportedROM(path) is None:  # loading it would end the process
        raise InvalidTask(f"atari:{game}: ale-py has the game, but no points for one who plays it alone")
    found = ale.ALEInterface()
    found.setInt("random_seed", 0)
    found.setFloat("repeat_action_probability", 0.0)  # an action is repeated here, by the episode's own numbers
    found.loadROM(path)
    found.reset_game()  # as the vector environment does: it leaves some games in another state than loading them
    return found


def _ale(game: str) -> ModuleType:
    try:
        import ale_py
    except ImportError as error:
        raise InvalidTask(
            f"atari:{game} needs ale-py, which is not here ({error}); pip install 'germline[atari]'"
        ) from None
    return ale_py


@cache
def spec_of(game: str) -> EnvironmentSpec:
    """What a policy meets in a game, whose actions are those that it has a use for. Raises what `machine` raises."""
    actions = len(machine(game).getMinimalActionSet())
    return EnvironmentSpec((STACKED, SIDE, SIDE), actions, STEPS, frames=FRAMES, pixels=True)


def cells(size: int, made: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Which pixels of a line make up each pixel of a shorter one, and with what share, `[n, made]` each.

    A pixel that lies in two gives each its part; one that is in by less than 1/1000 is left out, as in OpenCV.
    """
    scale = size / made
    rows = []
    for i in range(made):
        begin, end = i * scale, (i + 1) * scale
        cell = min(scale, size - begin)
        last = min(int(np.floor(end)), size - 1)
        first = min(int(np.ceil(begin)), last)
        row = [(first - 1, (first - begin) / cell)] if first - begin > 1e-3 else []
        row += [(at, 1.0 / cell) for at in range(first, last)]
        row += [(last, min(end - last, 1.0, cell) / cell)] if end - last > 1e-3 else []
        rows.append(row)
    most = max(map(len, rows))
    padded = [row + [(0, 0.0)] * (most - len(row)) for row in rows]
    at, share = np.array(padded).T
    return at.astype(np.int64), share.astype(np.float32)


@compiled()  # type: ignore[untyped-decorator]
def shrink(one: Any, other: Any, lines: Any, heights: Any, columns: Any, widths: Any, out: Any) -> None:
    """The larger of two frames, made smaller; in single precision and in OpenCV's order, so that it gives its pixels.

    Args:
        one, other: uint8 `[height, width]`.
        lines, heights, columns, widths: of `cells`.
        out: uint8, the smaller image.
    """
    height, width = one.shape
    short, low = columns.shape[1], lines.shape[1]
    line, narrow, total = (
        np.empty(width, np.float32),
        np.empty((height, short), np.float32),
        np.empty(short, np.float32),
    )
    for y in range(height):
        for x in range(width):
            line[x] = max(one[y, x], other[y, x])
        narrow[y] = 0.0
        for k in range(columns.shape[0]):
            for x in range(short):
                narrow[y, x] += line[columns[k, x]] * widths[k, x]
    for y in range(low):
        total[:] = 0.0
        for k in range(lines.shape[0]):
            for x in range(short):
                total[x] += heights[k, y] * narrow[lines[k, y], x]
        for x in range(short):
            out[y, x] = np.uint8(np.rint(total[x]))
