"""The film of an episode of a policy: for `germline play --video`, and for films on pages."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from germline.cli.errors import UserError
from germline.cli.policy_player import Player
from germline.cli.video import write_film
from germline.evaluators.policy.film import Film
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.picture import Picture
from germline.evaluators.policy.player import EpisodeResult
from germline.programs.policy.parameters import replay


def film_of(player: Player, seed: int) -> Film:
    """A film of the episode of a seed, not yet played.

    Raises:
        InvalidTask: the task cannot be drawn, or the episode cannot begin.
    """
    # Drawing works without a screen and without sound, and stdout is for the result.
    for name, value in (
        ("SDL_VIDEODRIVER", "dummy"),
        ("SDL_AUDIODRIVER", "dummy"),
        ("PYGAME_HIDE_SUPPORT_PROMPT", "1"),
    ):
        os.environ.setdefault(name, value)
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("MUJOCO_GL", "egl")  # MuJoCo's default looks for a screen
    networks = networks_of(player.policy.network, [replay(player.policy)], task=type(player.task))
    actions = player.policy.network.actions
    return Film(networks.forward, actions, player.task, seed, player.steps, networks.assign_slots)


def write_episode(film: Film, path: Path, seed: int, played: EpisodeResult) -> None:
    """Plays an episode again and writes its pictures.

    Args:
        film: of the episode, not yet played.
        path: of the file, .mp4 or .gif.
        seed: of the episode.
        played: its result when it was played without pictures.

    Raises:
        ExportUnwritable: the path cannot take a file.
        InvalidTask: the environment fails, or draws no picture.
        UserError: the episode has another return or length than before, or the film cannot be written.
    """

    def pictures() -> Iterator[Picture]:
        yield from film
        # Compared as text, in which a return of nan equals itself.
        result = film.result
        if result is None or f"{result.total_reward} {result.steps}" != f"{played.total_reward} {played.steps}":
            raise UserError(
                f"expected the episode of seed {seed} to have the same return when it is filmed "
                f"({played.total_reward:g}), got {result.total_reward if result else 'nothing'}; no film was written",
                1,
            )

    write_film(path, pictures(), film.pace)
