"""The process that makes a film: what `germline play --video` does, with an order and an answer in files."""

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from germline.cli.dashboard.film import EPISODES, MOST_DECISIONS, FilmOrder
from germline.cli.dashboard.film_maker import ANSWER, IMAGE, ORDER
from germline.cli.episode_film import film_of, write_episode
from germline.cli.errors import UserError, is_ours, single_line
from germline.cli.leaving import leave
from germline.cli.policy_player import episode_error, median_episode, play_episodes, player_of
from germline.cli.video import check_format
from germline.evaluators.errors import in_a_line
from germline.evaluators.executors.scoring_process import end_with_parent
from germline.evaluators.tasks.registry import confirmed_name
from germline.programs.export.files import write_whole

_HINT = "; play without a film"
"""Ends messages for those who can."""


def main(arguments: Sequence[str]) -> None:
    """Makes a film.

    Args:
        arguments: a folder with an order, which gets the answer and the film; the number of the process that waits.
    """
    folder, parent = Path(arguments[0]), int(arguments[1])
    end_with_parent(parent)
    order = FilmOrder(**json.loads((folder / ORDER).read_text(encoding="ascii")))
    answer: dict[str, Any] = {"film": None, "problem": None}
    try:
        answer["film"] = film_facts(order, folder / IMAGE)
    except (Exception, SystemExit) as error:
        known = isinstance(error, click.ClickException) or (isinstance(error, Exception) and is_ours(error))
        answer["problem"] = (single_line(error) if known else in_a_line(error)).removesuffix(_HINT)
    write_whole(folder / ANSWER, json.dumps(answer))
    leave(0)  # an environment may have left threads behind


def film_facts(order: FilmOrder, path: Path) -> dict[str, Any]:
    """Writes a film, and returns the fields of `Film` but the image.

    Args:
        order: what to film.
        path: of the film.

    Raises:
        UnconfirmedTask: the task is code that a database must not choose.
        CannotPlay, InvalidTask, UnknownTask, UserError: no film can be made.
    """
    check_format(path)
    player = player_of(order.genome, confirmed_name(order.task), order.label, order.steps)
    whole_steps = player.steps
    player = player._replace(steps=min(whole_steps, MOST_DECISIONS))
    film_of(player, 0).close()  # refuses what cannot be filmed before playing
    played, _ = play_episodes(player, range(EPISODES))
    seed = median_episode(played)
    if (cause := episode_error(played[seed])) is not None:
        raise UserError(f"every episode of {order.task} failed; the first: {cause}", 1)
    with closing(film_of(player, seed)) as film:
        write_episode(film, path, seed, played[seed])
        height, width = film.first_picture.shape[:2]
    cut = player.steps < whole_steps and any(episode.steps >= player.steps for episode in played)
    return {
        "width": width,
        "height": height,
        "seed": seed,
        "total_reward": played[seed].total_reward,
        "decisions": played[seed].steps,
        "whole": not cut,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
