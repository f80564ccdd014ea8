"""`germline play`: episodes of a policy, and a film of the median episode."""

import sys
from collections.abc import Sequence
from math import nan, sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import gymnasium
import imageio.v2 as imageio
import numpy as np
import pytest
import torch
from command_line import call, data

from germline.cli.policy_player import median_episode
from germline.evaluators.policy.film import Film, Filmable
from germline.evaluators.policy.player import EpisodeResult
from germline.evaluators.policy.task import PolicyTask
from germline.evaluators.tasks.registry import task_class
from germline.programs.policy.genome import Policy, read, write
from germline.programs.policy.module import PolicyModule
from germline.programs.policy.network import Network
from germline.programs.policy.parameters import replay


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("play") / "germline.db"
    options = ("--set", "population=10", "--set", "candidates=0", "--set", "test_episodes=0", "--set", "steps=60")
    done = call(path, "search", "policy", "--executor", "inline", "--births", "20", "--name", "cp", *options)
    assert done.exit_code == 0, done.output
    return path


def gymnasium_return(genome: str, seed: int, steps: int) -> float:
    """The return of an episode in gymnasium's own environment."""
    policy, environment = read(genome), gymnasium.make("CartPole-v1")
    module, total = PolicyModule(policy.network, replay(policy)), 0.0
    observation, _ = environment.reset(seed=seed)
    for _ in range(steps):
        with torch.no_grad():
            action = int(module(torch.from_numpy(observation[None])).argmax())
        observation, reward, terminated, truncated, _ = environment.step(action)
        total += float(reward)
        if terminated or truncated:
            break
    return total


@pytest.mark.slow
def test_episodes_follow_from_their_seeds_as_in_gymnasium(database: Path) -> None:
    row = data(database, "play", "cp:13", "--episodes", "4", "--seed", "11")
    genome = data(database, "show", "cp:13")["genome"]
    assert [episode["seed"] for episode in row["episodes"]] == [11, 12, 13, 14]
    returns = [episode["return"] for episode in row["episodes"]]
    assert returns == [gymnasium_return(genome, seed, 60) for seed in (11, 12, 13, 14)]
    assert [episode["length"] for episode in row["episodes"]] == returns
    assert row["mean"] == fmean(returns)
    assert row["interval"] == pytest.approx(3.182 * stdev(returns) / sqrt(4))
    assert row["frames"] == sum(returns) and row["frames_per_second"] > 0
    again = data(database, "play", "cp:13", "--episodes", "2", "--seed", "12")
    assert again["episodes"] == row["episodes"][1:3]


def test_as_text_there_is_a_line_for_each_episode_and_the_mean(database: Path) -> None:
    row = data(database, "play", "cp:13", "--episodes", "3")
    text = call(database, "play", "cp:13", "--episodes", "3").stdout
    for episode in row["episodes"]:
        assert f"{episode['seed']:>4}  {episode['return']:.4f}" in text
    assert f"cp:13: mean return {row['mean']:.4f} ± " in text and "a second" in text
    assert "±" not in call(database, "play", "cp:13", "--episodes", "1").stdout


def test_a_file_plays_at_the_task_that_is_named(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text(write(Policy(Network("mlp", (4,), 2, (32,)), 3)))
    row = data(database, "play", str(path), "--task", "gym:CartPole-v1", "--episodes", "1")
    assert (row["ref"], row["task"]) == (str(path), "gym:CartPole-v1")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["film.gif", "film.mp4"])
def test_a_film_shows_the_median_episode(database: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    row = data(database, "play", "cp:13", "--episodes", "5", "--video", str(path))
    median = sorted(row["episodes"], key=lambda episode: episode["return"])[2]
    assert row["episodes"][0]["return"] != median["return"]  # else the film of the first would pass
    assert row["video_seed"] in [e["seed"] for e in row["episodes"] if e["return"] == median["return"]]
    assert row["video"] == str(path) and [file.name for file in tmp_path.iterdir()] == [name]
    with imageio.get_reader(path) as film:
        pictures = [np.asarray(picture) for picture in film]
    assert pictures[0].shape[:2] == (400, 600)
    expected = median["length"] + 1
    assert len(pictures) == expected if name == "film.mp4" else 1 < len(pictures) <= expected


@pytest.mark.parametrize(
    ("returns", "place"),
    [
        ((5.0,), 0),
        ((9.0, 1.0), 1),
        ((9.0, 1.0, 4.0), 2),
        ((4.0, 1.0, 4.0, 9.0), 0),
        ((nan, 7.0, 3.0, 5.0), 3),
        ((nan, nan), 0),
    ],
)
def test_the_median_episode_is_the_lower_middle_of_those_that_count(returns: tuple[float, ...], place: int) -> None:
    assert median_episode([EpisodeResult(each, 1, (), None) for each in returns]) == place


@pytest.mark.slow
def test_an_existing_film_is_replaced_only_by_force(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "film.gif"
    path.write_text("mine")
    refused = call(database, "play", "cp", "--video", str(path))
    assert refused.exit_code == 2 and "exists already" in refused.stderr and path.read_text() == "mine"
    assert call(database, "play", "cp", "--episodes", "1", "--video", str(path), "--force").exit_code == 0


@pytest.mark.slow
def test_the_error_of_a_film_that_cannot_be_written_names_the_given_path(database: Path) -> None:
    done = call(database, "play", "cp", "--episodes", "1", "--video", "/proc/film.gif")
    assert done.exit_code != 0 and "'/proc/film.gif'" in done.stderr and ".tmp" not in done.stderr


@pytest.mark.slow
def test_a_film_whose_episode_has_another_return_is_not_written(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Film.__iter__

    def shorter(film: Film) -> Any:
        film.max_steps = 3
        return right(film)

    monkeypatch.setattr(Film, "__iter__", shorter)
    done = call(database, "play", "cp", "--video", str(tmp_path / "film.gif"))
    assert done.exit_code == 1 and "have the same return when it is filmed" in done.stderr
    assert not list(tmp_path.iterdir())


TASKS = '''
import numpy as np
from germline.evaluators.policy.player import EpisodeResult
from germline.evaluators.policy.task import PolicyTask
from germline.evaluators.policy.environments.environment import Step, EnvironmentSpec


class Rooms:
    def __init__(self, slots):
        self.slots, self.observations, self.pace = slots, np.zeros((slots, 4)), 12

    def reset(self, slots, seeds):
        if FAILING in seeds:
            raise OSError("the door is locked")
        self.observations[slots] = 0

    def step(self, slots, actions):
        self.observations[slots] += 1
        return Step(np.ones(len(slots)), self.observations[slots, 0] >= 5)

    def behaviour(self, slots):
        return self.observations[slots][:, :2]

    def close(self):
        pass


class Visible(Rooms):
    def picture(self, slot):
        return np.full((11, 13, 3), 40 * int(self.observations[slot, 0]), np.uint8)


class Dark(PolicyTask):
    """A room without a window."""

    name, environment = "dark", Rooms

    @classmethod
    def environment_spec(cls):
        return EnvironmentSpec((4,), 2, 500, frames=4)

    def environments(self, slots):
        return self.environment(slots)


class Bright(Dark):
    name, environment = "bright", Visible


class Endless(Visible):
    """From the seed 1 on a return is no number, or none that is finite."""

    def reset(self, slots, seeds):
        super().reset(slots, [])
        self.rewards = getattr(self, "rewards", np.ones(self.slots))
        self.rewards[slots] = [(1.0, np.inf, np.nan)[seed % 3] for seed in seeds]

    def step(self, slots, actions):
        step = super().step(slots, actions)
        return Step(self.rewards[slots], step.over)


class Diverging(Dark):
    name, environment = "diverging", Endless


class Unplayed(Rooms):
    def step(self, slots, actions):
        raise AssertionError("an episode was played")


class Blind(Dark):
    name, environment = "blind", Unplayed


class Bare(Dark):
    name = "bare"

    def environments(self, slots):
        raise OSError("no room")


class Broken(Unplayed):
    def picture(self, slot):
        raise OSError("no light")


class Unlit(Dark):
    name, environment = "unlit", Broken
'''


@pytest.fixture
def rooms(tmp_path: Path) -> Path:
    path = tmp_path / "rooms.py"
    path.write_text(TASKS.replace("FAILING", "2"))
    return path


def test_an_environment_may_show_itself(database: Path, tmp_path: Path, rooms: Path) -> None:
    path = tmp_path / "film.gif"
    row = data(database, "play", "cp", "--task", f"{rooms}:Bright", "--episodes", "2", "--video", str(path))
    assert row["frames"] == 4 * 10
    with imageio.get_reader(path) as film:
        pictures = [np.asarray(picture) for picture in film]
    assert len(pictures) == 6 and pictures[0].shape[:2] == (11, 13)


def test_an_episode_that_fails_is_listed_and_left_out_of_the_mean(database: Path, rooms: Path) -> None:
    row = data(database, "play", "cp", "--task", f"{rooms}:Dark", "--episodes", "4")
    assert row["episodes"][2] == {"seed": 2, "return": 0.0, "length": 0, "error": "OSError: the door is locked"}
    assert row["mean"] == 5.0
    text = call(database, "play", "cp", "--task", f"{rooms}:Dark", "--episodes", "4").stdout
    assert "seed 2: OSError: the door is locked" in text and "over 3 episodes" in text
    nothing = call(database, "play", "cp", "--task", f"{rooms}:Dark", "--episodes", "1", "--seed", "2")
    assert nothing.exit_code == 1 and "every episode of dark failed" in nothing.stderr


def test_environments_that_raise_all_at_once_give_an_error_of_one_line(database: Path, rooms: Path) -> None:
    done = call(database, "play", "cp", "--task", f"{rooms}:Blind")
    assert done.exit_code == 2
    assert done.stderr == "Error: expected a step of the environments, got AssertionError: an episode was played\n"
    none = call(database, "play", "cp", "--task", f"{rooms}:Bare")
    assert none.exit_code == 2
    assert none.stderr == "Error: expected the task bare to have environments, got OSError: no room\n"


def test_an_episode_whose_return_is_not_finite_has_failed(database: Path, tmp_path: Path, rooms: Path) -> None:
    path = tmp_path / "film.gif"
    options = ("--task", f"{rooms}:Diverging", "--video", str(path), "--force")
    row = data(database, "play", "cp", "--episodes", "4", *options)
    assert [episode["error"] for episode in row["episodes"]] == [
        None,
        "diverged: the return was inf",
        "diverged: the return was nan",
        None,
    ]
    assert (row["mean"], row["interval"]) == (5.0, 0.0)
    text = call(database, "play", "cp", "--episodes", "4", *options).stdout
    assert "seed 1: diverged: the return was inf" in text and "over 2 episodes" in text
    for seed in ("1", "2"):  # an episode that diverges at once is filmed as far as it was played
        nothing = call(database, "play", "cp", "--episodes", "1", "--seed", seed, *options)
        assert nothing.exit_code == 1 and "every episode of diverging failed" in nothing.stderr
        with imageio.get_reader(path) as film:
            assert len(list(film)) == 2


def test_environments_without_pictures_cannot_be_filmed() -> None:
    class Blind:
        slots, observations = 1, np.zeros((1, 4))

        def reset(self, slots: Any, seeds: Sequence[int]) -> None: ...

    assert not isinstance(Blind(), Filmable)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("play", "library:lion"), "expected a policy to play, got library:lion"),
        (("play", "cp", "--task", "digits-mlp"), "expected a task for policies, got digits-mlp"),
        (("play", "cp", "--task", "gym:Pendulum-v1"), "with observations [3] and 1 numbers from -2 to 2"),
        (("play", "cp", "--task", "gym:CartPool-v1"), "expected an environment of gymnasium"),
        (("play", "cp", "--episodes", "0"), "--episodes"),
        (("play", "cp", "--seed", "2147483647"), "expected seeds of at most 2147483647"),
        (("play", "cp", "--video", "film.avi"), "expected a film, .mp4 or .gif, got 'film.avi'"),
        (("play", "cp", "--video", "nowhere/film.gif"), "expected an existing folder"),
        (("play", "nobody"), "nobody"),
    ],
)
def test_a_mistake_is_an_error_of_one_line(database: Path, args: tuple[str, ...], message: str) -> None:
    done = call(database, *args)
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("task", "seed", "message"),
    [
        ("Blind", "0", "its environments have no picture(slot)"),
        ("Unlit", "0", "expected unlit to draw itself, got OSError: no light"),
        ("Bright", "2", "expected an episode of bright to film, got OSError: the door is locked"),
    ],
)
def test_a_task_that_cannot_be_filmed_is_refused_before_anything_is_played_or_written(
    database: Path, tmp_path: Path, rooms: Path, task: str, seed: str, message: str
) -> None:
    options = ("--task", f"{rooms}:{task}", "--seed", seed, "--video", str(tmp_path / "film.gif"))
    done = call(database, "play", "cp", *options)
    assert done.exit_code == 2 and message in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "film.gif").exists()


def test_a_film_resets_its_network_when_the_episode_begins(rooms: Path) -> None:
    task, calls = task_class(f"{rooms}:Bright"), []

    def assign_slots(slots: Any, starting: Any) -> None:
        calls.append((slots.tolist(), starting.tolist()))

    assert issubclass(task, PolicyTask)
    film = Film(lambda which, observations: np.zeros((1, 2), np.float32), 2, task(), 0, 500, assign_slots)
    assert len(list(film)) == 6 and film.result is not None and film.result.total_reward == 5.0
    assert calls == [([0], [True])]


def test_a_file_of_no_run_needs_a_task(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text(write(Policy(Network("mlp", (4,), 2), 3)))
    done = call(database, "play", str(path))
    assert done.exit_code == 2 and "add --task gym:CartPole-v1" in done.stderr


@pytest.mark.parametrize(("name", "package"), [("film.mp4", "imageio_ffmpeg"), ("film.gif", "PIL.Image")])
def test_without_the_packages_the_error_has_the_command_to_install_them(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    done = call(database, "play", "cp", "--video", str(tmp_path / name))
    assert done.exit_code == 2 and "pip install 'germline[video]'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
