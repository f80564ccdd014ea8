"""`germline play`: plays episodes with a policy, and films the median episode."""

from contextlib import closing, nullcontext
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import click

from germline.cli.candidate import Candidate
from germline.cli.episode_film import film_of, write_episode
from germline.cli.errors import BadReference, UserError
from germline.cli.formatting import BAD, QUIET, counted, number, plain_table, print_table, safe, with_interval
from germline.cli.options import db_option, json_option
from germline.cli.output import check_free, console, print_json, stdout_apart
from germline.cli.policy_player import Player, episode_error, median_episode, play_episodes, player_of
from germline.cli.reference import resolve
from germline.cli.video import check_format
from germline.evaluators.policy.player import EpisodeResult
from germline.evaluators.tasks.name_grammar import absolute_name
from germline.evaluators.tasks.registry import confirmed_name
from germline.programs.export.files import check_writable
from germline.search.analysis.statistics import half_width
from germline.search.kinds.policy import PolicySettings

LAST_SEED = 2**31 - 1


@click.command(epilog="REF is RUN (its winner), RUN:best, RUN:BIRTH or a file with a policy.")
@click.argument("reference", metavar="REF")
@click.option("--episodes", type=click.IntRange(1, 100_000), default=5, show_default=True, help="Number of episodes.")
@click.option(
    "--seed",
    type=click.IntRange(0, LAST_SEED),
    default=0,
    show_default=True,
    help="Seed of the first episode; the next episodes have the next seeds.",
)
@click.option("--task", default=None, help="Task to play; by default the task of the policy's run.")
@click.option(
    "--video", type=click.Path(path_type=Path), default=None, help="Write a film of the median episode, .mp4 or .gif."
)
@click.option("--force", is_flag=True, help="Replace an existing film.")
@db_option
@json_option
def command(
    reference: str,
    episodes: int,
    seed: int,
    task: str | None,
    video: Path | None,
    force: bool,
    url: str,
    as_json: bool,
) -> None:
    """Play episodes with the policy REF.

    An episode depends on its seed alone: the exported policy plays the same episode in an environment that is reset
    with this seed. The mean return has a 95 % confidence interval (Student's t). An episode that fails or diverges (a
    return of more than 1e100) is listed, but left out of the mean.

    A film shows the episode with the median return: of two in the middle the lower, among equals the earliest. With
    --episodes 1 it shows the episode of --seed.

    \b
    Examples:
      germline play policy-1 --episodes 20
      germline play policy-1 --video policy.mp4
    """
    if video is not None:
        check_format(video)
        check_writable(video)
        if not force:
            check_free(video)
    if seed + episodes - 1 > LAST_SEED:
        raise UserError(f"expected seeds of at most {LAST_SEED}, got {seed + episodes - 1} for the last episode")
    with stdout_apart():
        player = _player(resolve(reference, url), task)
        with closing(film_of(player, seed)) if video else nullcontext():  # refuses what cannot be filmed before playing
            played, seconds = play_episodes(player, range(seed, seed + episodes))
        place = median_episode(played)
        if video:
            with closing(film_of(player, seed + place)) as film:
                write_episode(film, video, seed + place, played[place])
    row = _row(player, seed, played, seconds, video, place)
    if as_json:
        print_json(row)
    else:
        _print(row)
    if row["mean"] is None:
        last = row["episodes"][-1]["error"]
        raise UserError(f"every episode of {player.task.name} failed; the last: {last}", 1)


def _player(candidate: Candidate, task: str | None) -> Player:
    """A policy on the task of its run, or on another task with the same observations and actions.

    Raises:
        BadReference: the candidate is not a policy, or has no task.
        CannotPlay: the policy does not fit the task.
        UnconfirmedTask: the user has to name the task of the run.
    """
    if candidate.kind != "policy":
        raise BadReference(f"expected a policy to play, got {candidate.label}, which is of kind {candidate.kind}")
    home = candidate.run.task if candidate.run else None
    if task is not None:
        name = absolute_name(task)
    elif home is not None:
        name = confirmed_name(home)
    else:
        raise BadReference(f"expected a task for {candidate.label}, which is of no run; add --task gym:CartPole-v1")
    settings = candidate.settings
    limit = settings.steps if isinstance(settings, PolicySettings) and name == home else 0
    return player_of(candidate.genome, name, candidate.label, limit)


def _row(
    player: Player, seed: int, played: list[EpisodeResult], seconds: float, video: Path | None, filmed: int
) -> dict[str, Any]:
    errors = [episode_error(episode) for episode in played]
    returns = [episode.total_reward for episode, error in zip(played, errors, strict=True) if error is None]
    frames = sum(episode.steps for episode in played) * player.frames
    return {
        "ref": player.label,
        "task": player.task.name,
        "episodes": [
            {"seed": seed + i, "return": episode.total_reward, "length": episode.steps, "error": error}
            for i, (episode, error) in enumerate(zip(played, errors, strict=True))
        ],
        "mean": fmean(returns) if returns else None,
        "interval": half_width(stdev(returns), len(returns)) if len(returns) > 1 else None,
        "frames": frames,
        "frames_per_second": frames / seconds,
        "video": str(video) if video else None,
        "video_seed": seed + filmed if video else None,
    }


def _print(row: dict[str, Any]) -> None:
    out = console()
    failed = [episode for episode in row["episodes"] if episode["error"] is not None]
    table = plain_table("seed", "return", "length", right=("seed", "return", "length"))
    for episode in row["episodes"]:
        total = number(episode["return"]) if episode["error"] is None else safe("failed", BAD)
        table.add_row(str(episode["seed"]), total, f"{episode['length']:,}")
    print_table(out, table)
    for episode in failed:
        out.print(safe(f"seed {episode['seed']}: {episode['error']:.300}", BAD))
    mean = with_interval(row["mean"], row["interval"])
    count = len(row["episodes"]) - len(failed)
    out.print(safe(f"{row['ref']}: mean return {mean} over {counted(count, 'episode')}", "bold"))
    out.print(safe(f"{row['task']}, {row['frames']:,} frames, {row['frames_per_second']:,.0f} a second", QUIET))
    if row["video"]:
        out.print(safe(f"wrote {row['video']}: the episode of seed {row['video_seed']}"))
