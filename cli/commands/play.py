"""`germline play`: plays episodes with a policy, and films the median episode."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from statistics import fmean, stdev
from time import perf_counter
from typing import Any, NamedTuple

import click

from germline.cli.candidate import Candidate
from germline.cli.errors import BadReference, UserError
from germline.cli.formatting import BAD, QUIET, counted, number, plain_table, print_table, safe, with_interval
from germline.cli.options import db_option, json_option
from germline.cli.output import check_free, console, print_json, stdout_apart
from germline.cli.reference import resolve
from germline.cli.video import check_format, write_film
from germline.evaluators.policy.compatibility import playable
from germline.evaluators.policy.film import Film
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.picture import Picture
from germline.evaluators.policy.player import Episode, EpisodeResult, play
from germline.evaluators.policy.task import PolicyTask, opened_environments
from germline.evaluators.tasks.name_grammar import absolute_name
from germline.evaluators.tasks.registry import confirmed_name
from germline.programs.export.files import check_writable
from germline.programs.policy.genome import Policy
from germline.programs.policy.parameters import replay
from germline.search.analysis.statistics import half_width
from germline.search.kinds.policy import PolicySettings

LAST_SEED = 2**31 - 1


class Player(NamedTuple):
    """A policy on a task. An episode has at most `steps` decisions, and a decision lasts `frames` frames of the
    environment."""

    label: str
    policy: Policy
    task: PolicyTask
    steps: int
    frames: int


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
        with closing(_film(player, seed)) if video else nullcontext():  # refuses what cannot be filmed before playing
            played, seconds = _play(player, range(seed, seed + episodes))
        place = median_episode(played)
        if video:
            with closing(_film(player, seed + place)) as film:
                _write_film(film, video, seed + place, played[place])
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
    policy, chosen, spec = playable(candidate.genome, name, candidate.label)
    settings = candidate.settings
    limit = settings.steps if isinstance(settings, PolicySettings) and name == home else 0
    return Player(candidate.label, policy, chosen(), min(limit or spec.steps, spec.steps), spec.frames)


def _play(player: Player, seeds: range) -> tuple[list[EpisodeResult], float]:
    """The results of the episodes, and the seconds of playing them, without the time for compiling."""
    networks = networks_of(player.policy.network, [replay(player.policy)])
    actions, episodes = player.policy.network.actions, [Episode(0, seed) for seed in seeds]
    with opened_environments(player.task, min(len(seeds), player.task.slots)) as environments:
        play(networks.forward, actions, environments, episodes[:1], 1, networks.assign_slots)  # compiles
        began = perf_counter()
        played = play(networks.forward, actions, environments, episodes, player.steps, networks.assign_slots)
        return played, max(perf_counter() - began, 1e-9)


def _row(
    player: Player, seed: int, played: list[EpisodeResult], seconds: float, video: Path | None, filmed: int
) -> dict[str, Any]:
    errors = [_error(episode) for episode in played]
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


def median_episode(played: Sequence[EpisodeResult]) -> int:
    """The place of the episode with the median return among those that count: of two in the middle the lower, among
    equals the earliest. The first episode if none counts."""
    counting = [i for i, episode in enumerate(played) if _error(episode) is None]
    ordered = sorted(counting, key=lambda i: (played[i].total_reward, i))
    return ordered[(len(ordered) - 1) // 2] if ordered else 0


def _error(played: EpisodeResult) -> str | None:
    """The error of an episode that does not count, by the rules of a search; None if it counts."""
    if played.error is None and played.diverged:
        return f"diverged: the return was {played.total_reward}"
    return played.error


def _film(player: Player, seed: int) -> Film:
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
    networks = networks_of(player.policy.network, [replay(player.policy)])
    actions = player.policy.network.actions
    return Film(networks.forward, actions, player.task, seed, player.steps, networks.assign_slots)


def _write_film(film: Film, path: Path, seed: int, played: EpisodeResult) -> None:
    """Plays an episode again and writes its pictures.

    Raises:
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
