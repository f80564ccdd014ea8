"""Atari games equal those of ale-py's vector environment, and an episode depends on its seed and actions alone."""

import sys
from typing import Any

import numpy as np
import pytest

from germline.evaluators.errors import InvalidTask, UnknownTask
from germline.evaluators.tasks.registry import task_class

ale_py = pytest.importorskip("ale_py")

from germline.evaluators.policy.environments.atari import AtariEnvironments, load_game  # noqa: E402
from germline.evaluators.policy.film import Filmable  # noqa: E402

Trace = list[tuple[bytes, float, bool]]


def episode(environments: AtariEnvironments, slot: int, seed: int, decisions: int = 60, neighbour: Any = None) -> Trace:
    """An episode of random actions in a slot; `neighbour` is another slot, whose episode goes on meanwhile."""
    rng, slots = np.random.default_rng(seed), np.array([slot])
    environments.reset(slots, [seed])
    trace = [(environments.observations[slot].tobytes(), 0.0, False)]
    for _ in range(decisions):
        chosen = int(rng.integers(len(environments.actions)))
        both = slots if neighbour is None else np.sort([slot, neighbour])
        step = environments.step(both, np.where(both == slot, chosen, 1))
        place = int(np.searchsorted(both, slot))
        trace.append((environments.observations[slot].tobytes(), step.rewards[place], bool(step.over[place])))
        if step.over.any():
            break
    return trace


@pytest.mark.slow
@pytest.mark.parametrize("game", ["frostbite", "qbert", "breakout"])
def test_a_game_equals_the_vector_environments(game: str) -> None:
    from ale_py import roms

    vector = ale_py.ALEVectorInterface(
        rom_path=roms.get_rom_path(game), num_envs=1, num_threads=1, noop_max=1, use_fire_reset=False,
        reward_clipping=False,
    )  # fmt: skip
    environments = AtariEnvironments(game, 1)
    episode(environments, 0, 5, 20)  # an earlier episode leaves nothing behind
    vector.reset([0], [7])
    environments.begin_episode(0, 0)
    rng, slot, total = np.random.default_rng(1), np.zeros(1, np.int64), 0.0
    for decision in range(300):
        action = rng.integers(0, len(environments.actions), 1)
        vector.send(action, np.ones(1, np.float32))
        images, rewards, over, _, _ = vector.recv()
        step = environments.step(slot, action)
        assert (step.rewards[0], step.over[0]) == (rewards[0], over[0]), decision
        total += rewards[0]
        if over[0]:
            break
        if decision >= 3:  # without frames at the beginning, ours lacks the first screen
            assert np.array_equal(environments.observations[0], images[0]), decision
    assert total > 0


@pytest.mark.slow
@pytest.mark.parametrize("sticky", [0.0, 0.25])
def test_an_episode_follows_from_its_seed_and_actions_alone(sticky: float) -> None:
    environments = AtariEnvironments("tetris", 2, sticky)
    first = episode(environments, 0, 11)
    environments.reset(np.array([0]), [3])
    assert episode(environments, 1, 11, neighbour=0) == first
    assert episode(environments, 0, 11, neighbour=1) == first
    assert episode(environments, 0, 12) != first


@pytest.mark.slow
def test_sticky_frames_repeat_actions() -> None:
    plain, sticky = AtariEnvironments("frostbite", 1), AtariEnvironments("frostbite", 1, 0.25)
    assert episode(plain, 0, 2)[0] == episode(sticky, 0, 2)[0]
    assert episode(plain, 0, 2) != episode(sticky, 0, 2)


@pytest.mark.slow
@pytest.mark.parametrize("game", ["backgammon", "video_checkers"])
def test_frames_without_an_action_press_no_button(game: str) -> None:
    environments, alone = AtariEnvironments(game, 1, 0.25), load_game(game)
    assert environments.actions[0] == ale_py.Action.FIRE
    assert environments.last_actions == [ale_py.Action.NOOP]
    environments.begin_episode(0, 30)
    alone.reset_game()
    for _ in range(30):
        alone.act(ale_py.Action.NOOP)
    assert environments.last_actions == [ale_py.Action.NOOP]
    assert np.array_equal(environments.machines[0].getRAM(), alone.getRAM())


@pytest.mark.slow
def test_the_picture_of_a_slot_is_the_frame_of_its_game() -> None:
    environments = AtariEnvironments("frostbite", 2)
    episode(environments, 1, 3, 20)
    picture = environments.picture(1)
    assert isinstance(environments, Filmable) and environments.pace == 15
    assert (picture.dtype, picture.shape) == (np.uint8, (210, 160, 3))
    grey = picture @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey - environments.machines[1].getScreenGrayscale()).max() < 4
    assert not np.array_equal(picture, environments.picture(0))


@pytest.mark.slow
def test_a_task_has_the_specification_of_its_game() -> None:
    spec = task_class("atari:frostbite").environment_spec()  # type: ignore[attr-defined]
    assert (spec.observation, spec.actions, spec.steps, spec.frames, spec.pixels) == (
        (4, 84, 84), 18, 5_000, 4, True,
    )  # fmt: skip
    assert task_class("atari:pong@sticky").environment_spec().actions == 6  # type: ignore[attr-defined]
    assert task_class("atari:pong@sticky")().environments(1).sticky == 0.25  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("atari:Frostbyte", UnknownTask, "the nearest is atari:frostbite"),
        ("atari:pong@stiky", UnknownTask, "expected atari:pong or atari:pong@sticky"),
        ("gym:ALE/Pong-v5", UnknownTask, "expected atari:pong, with"),
        ("gym:SpaceInvadersNoFrameskip-v4", UnknownTask, "expected atari:space_invaders, with"),
        ("atari:combat", InvalidTask, "no points"),
    ],
)
def test_a_wrong_name_is_an_error_that_teaches_the_right_one(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as raised:
        task_class(name).environment_spec()  # type: ignore[attr-defined]
    assert "\n" not in str(raised.value)


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ale_py", None)
    with pytest.raises(InvalidTask, match=r"pip install 'germline\[atari\]'"):
        task_class("atari:seaquest").environment_spec()  # type: ignore[attr-defined]
