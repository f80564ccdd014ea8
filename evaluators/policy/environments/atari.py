"""Games of the Atari 2600 (Bellemare et al. 2013), observed as by Mnih et al. (2015) and Deep GA (Such et al. 2017).

A decision lasts four frames. Its image is the pixelwise maximum of the last two, grey and resized to 84×84 as by
OpenCV's INTER_AREA; an observation is a stack of the last four images. Rewards are the game's points.

Every episode starts from the same state of the machine, with 1 to 30 frames without an action. ale-py's own vector
environment gives the same images and points, but it loads the game anew for each seed, which takes as long as 300
decisions, and it cannot step only some of its machines.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.errors import InvalidTask, UnknownTask, in_a_line
from germline.evaluators.policy.environments.environment import EnvironmentSpec, Slots, Step
from germline.programs.compiling import compiled

FRAMES, STACKED, SIDE = 4, 4, 84
"""Frames per decision, images per observation, and height and width of an image."""

STEPS = 5_000
"""Decisions after which an episode is cut: 20,000 frames, as in Deep GA."""

NO_OPS = 30
"""An episode begins after 1 to this many frames without an action."""


class AtariEnvironments:
    """A game with one machine for each slot.

    Args:
        game: name of the game in ale-py, such as `frostbite`.
        slots: number of slots.
        sticky: probability with which a frame repeats the action of the frame before (Machado et al. 2018).

    Raises:
        UnknownTask, InvalidTask: see `load_game`.
    """

    pace = 60 // FRAMES
    """Decisions per second of the game."""

    def __init__(self, game: str, slots: int, sticky: float = 0.0) -> None:
        self.slots = slots
        self.sticky = sticky
        self.machines = [load_game(game) for _ in range(slots)]
        self.initial_states = [machine.cloneState() for machine in self.machines]
        self.actions = self.machines[0].getMinimalActionSet()
        self.no_op = _ale_py(game).Action.NOOP
        self.last_actions = [self.no_op] * slots
        """Action of the last frame in each slot, which a sticky frame repeats."""
        self.rngs = [np.random.default_rng(0)] * slots
        self.observations = np.zeros((slots, STACKED, SIDE, SIDE), np.uint8)
        height, width = self.machines[0].getScreenDims()
        self.frames = np.zeros((2, height, width), np.uint8)
        """The last two frames of a decision."""
        self.row_weights, self.column_weights = area_weights(height, SIDE), area_weights(width, SIDE)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        for slot, seed in zip(slots.tolist(), seeds, strict=True):
            self.rngs[slot] = np.random.default_rng(seed)
            self.begin_episode(slot, int(self.rngs[slot].integers(1, NO_OPS + 1)))

    def begin_episode(self, slot: int, no_ops: int) -> None:
        """Begins an episode after a number of frames without an action."""
        machine = self.machines[slot]
        machine.reset_game()  # a state lacks parts of the machine: paddles, and the random numbers of some games
        machine.restoreState(self.initial_states[slot])
        for _ in range(no_ops):
            machine.act(self.no_op)
        self.last_actions[slot] = self.no_op
        self.observations[slot] = 0
        for frame in self.frames:
            machine.getScreenGrayscale(frame)
        self._stack_image(slot)

    def step(self, slots: Slots, actions: NDArray[Any]) -> Step:
        rewards, over = np.zeros(len(slots)), np.zeros(len(slots), bool)
        for i, (slot, action) in enumerate(zip(slots.tolist(), actions.tolist(), strict=True)):
            rewards[i], over[i] = self._play_frames(slot, self.actions[action])
        return Step(rewards, over)

    def _play_frames(self, slot: int, action: Any) -> tuple[int, bool]:
        """Points of the four frames of a decision, and whether the game is over; if so, the observation is not
        updated."""
        machine, points = self.machines[slot], 0
        for frame in range(FRAMES):
            if not self.sticky or self.rngs[slot].random() >= self.sticky:
                self.last_actions[slot] = action
            points += machine.act(self.last_actions[slot])
            if machine.game_over():
                return points, True
            if frame >= FRAMES - 2:
                machine.getScreenGrayscale(self.frames[frame - FRAMES])
        self._stack_image(slot)
        return points, False

    def _stack_image(self, slot: int) -> None:
        """Appends the image of the last two frames to the observation of a slot."""
        images = self.observations[slot]
        images[:-1] = images[1:]
        resize_maximum(self.frames[0], self.frames[1], *self.row_weights, *self.column_weights, images[-1])

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        """Empty descriptors for n slots, `[n, 0]`: a game has no behaviour descriptor."""
        return np.zeros((len(slots), 0))

    def picture(self, slot: int) -> NDArray[np.uint8]:
        """The last frame of a slot in colour, uint8 `[height, width, 3]`."""
        screen: NDArray[np.uint8] = self.machines[slot].getScreenRGB()
        return screen

    def close(self) -> None:
        return


def load_game(game: str) -> Any:
    """An emulated machine (`ale_py.ALEInterface`) with a game in its initial state.

    Raises:
        UnknownTask: ale-py has no such game.
        InvalidTask: ale-py is missing, or it has no reward for this game.
    """
    ale_py = _ale_py(game)
    from ale_py import roms  # here, since ale-py is optional

    known = sorted(roms.get_all_rom_ids())
    if game not in known:
        nearest = get_close_matches(game.lower(), known, n=1, cutoff=0.0)
        raise UnknownTask(f"expected a game of ale-py, got {game!r:.60}; the nearest is atari:{nearest[0]}")
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    path = roms.get_rom_path(game)
    if ale_py.ALEInterface.isSupportedROM(path) is None:  # loading it would end the process
        raise InvalidTask(f"atari:{game}: ale-py has the game, but no points for a single player")
    machine = ale_py.ALEInterface()
    machine.setInt("random_seed", 0)
    machine.setFloat("repeat_action_probability", 0.0)  # sticky actions follow from the seed of the episode instead
    machine.loadROM(path)
    machine.reset_game()  # as the vector environment does: some games are in another state right after loading
    return machine


def _ale_py(game: str) -> ModuleType:
    try:
        import ale_py  # here, since ale-py is optional
    except ImportError as error:
        raise InvalidTask(
            f"atari:{game} needs ale-py, which is not here ({in_a_line(error)}); pip install 'germline[atari]'"
        ) from None
    return ale_py


@cache
def spec_of(game: str) -> EnvironmentSpec:
    """Specification of a game, whose actions are its minimal action set.

    Raises:
        UnknownTask, InvalidTask: see `load_game`.
    """
    actions = len(load_game(game).getMinimalActionSet())
    return EnvironmentSpec((STACKED, SIDE, SIDE), actions, STEPS, frames=FRAMES, pixels=True)


def area_weights(size: int, target: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Indices and weights of the pixels of a line that make up each pixel of a shorter line, `[k, target]` each.

    A pixel that is split between two target pixels counts for both in part. As in OpenCV a part of less than 1/1000
    pixel is left out. k is the largest number of pixels that make up a target pixel; columns with fewer are padded with
    weight 0.
    """
    scale = size / target
    columns = []
    for i in range(target):
        begin, end = i * scale, (i + 1) * scale
        length = min(scale, size - begin)
        last = min(int(np.floor(end)), size - 1)
        first = min(int(np.ceil(begin)), last)
        column = [(first - 1, (first - begin) / length)] if first - begin > 1e-3 else []
        column += [(pixel, 1.0 / length) for pixel in range(first, last)]
        column += [(last, min(end - last, 1.0, length) / length)] if end - last > 1e-3 else []
        columns.append(column)
    most = max(map(len, columns))
    padded = [column + [(0, 0.0)] * (most - len(column)) for column in columns]
    indices, weights = np.array(padded).T
    return indices.astype(np.int64), weights.astype(np.float32)


@compiled()  # type: ignore[untyped-decorator]
def resize_maximum(
    frame_a: Any, frame_b: Any, rows: Any, row_weights: Any, columns: Any, column_weights: Any, out: Any
) -> None:
    """Resizes the pixelwise maximum of two frames, bit for bit as OpenCV does: single precision, its order of sums.

    Args:
        frame_a, frame_b: uint8 `[height, width]`.
        rows, row_weights, columns, column_weights: `area_weights` of the height and of the width.
        out: uint8 `[height, width]` of the resized image; it is written.
    """
    height, width = frame_a.shape
    out_width, out_height = columns.shape[1], rows.shape[1]
    line, narrow, total = (
        np.empty(width, np.float32),
        np.empty((height, out_width), np.float32),
        np.empty(out_width, np.float32),
    )
    for y in range(height):
        for x in range(width):
            line[x] = max(frame_a[y, x], frame_b[y, x])
        narrow[y] = 0.0
        for k in range(columns.shape[0]):
            for x in range(out_width):
                narrow[y, x] += line[columns[k, x]] * column_weights[k, x]
    for y in range(out_height):
        total[:] = 0.0
        for k in range(rows.shape[0]):
            for x in range(out_width):
                total[x] += row_weights[k, y] * narrow[rows[k, y], x]
        for x in range(out_width):
            out[y, x] = np.uint8(np.rint(total[x]))
