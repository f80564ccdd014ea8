"""`germline play`: a policy at work."""

from contextlib import closing, nullcontext
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from germline.cli.candidate import Candidate
from germline.cli.errors import BadReference, UserError, printable
from germline.cli.options import db_option, json_option
from germline.cli.output import check_free, console, print_json, stdout_apart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from germline.evaluators.policy.film import Film, Picture
    from germline.evaluators.policy.player import EpisodeResult
    from germline.evaluators.policy.task import PolicyTask
    from germline.programs.policy.genome import Policy

LAST_SEED = 2**31 - 1


@click.command(epilog="REF is RUN (its winner), RUN:best, RUN:BIRTH or a file with a policy.")
@click.argument("reference", metavar="REF")
@click.option("--episodes", type=click.IntRange(1, 100_000), default=5, show_default=True, help="How many.")
@click.option(
    "--seed",
    type=click.IntRange(0, LAST_SEED),
    default=0,
    show_default=True,
    help="Of the first episode; the next ones have the next seeds.",
)
@click.option("--task", default=None, help="Where to play; the task of its run unless given.")
@click.option(
    "--video", type=click.Path(path_type=Path), default=None, help="Write a film of the first episode, .mp4 or .gif."
)
@click.option("--force", is_flag=True, help="Replace a film that is there.")
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

    What an episode comes to follows from its seed: an exported policy plays the same one in an environment that was
    reset with it. The interval holds the mean return with 95 % (Student's t). An episode that fails, or whose return is
    no number of at most 1e100 in size, is told and left out of the mean.

    \b
    Examples:
      germline play policy-1 --episodes 20
      germline play policy-1 --video policy.mp4
    """
    from germline.cli.confidence import half_width
    from germline.cli.reference import resolve

    if video is not None:
        from germline.cli.video import check_format
        from germline.programs.export.files import check_writable

        check_format(video)
        check_writable(video)
        if not force:
            check_free(video)
    if seed + episodes - 1 > LAST_SEED:
        raise UserError(f"expected seeds of at most {LAST_SEED}, got {seed + episodes - 1} for the last episode")
    with stdout_apart():
        player = _player(resolve(reference, url), task)
        with closing(_film(player, seed)) if video else nullcontext() as film:
            played, seconds = _play(player, range(seed, seed + episodes))
            if video and film:
                _write(film, video, seed, played[0])
    errors = [_error(one) for one in played]
    returns = [one.total_reward for one, error in zip(played, errors, strict=True) if error is None]
    frames = sum(one.steps for one in played) * player.frames
    row = {
        "ref": player.label,
        "task": player.task.name,
        "episodes": [
            {"seed": seed + i, "return": one.total_reward, "length": one.steps, "error": error}
            for i, (one, error) in enumerate(zip(played, errors, strict=True))
        ],
        "mean": fmean(returns) if returns else None,
        "interval": half_width(stdev(returns), len(returns)) if len(returns) > 1 else None,
        "frames": frames,
        "frames_per_second": frames / seconds,
        "video": str(video) if video else None,
    }
    if as_json:
        print_json(row)
    else:
        _print(row)
    if not returns:
        raise UserError(printable(f"no episode of {player.task.name} went well; the last: {errors[-1]}"), 1)


class Player(NamedTuple):
    """A policy with its task; `frames` of the environment pass with each of at most `steps` decisions."""

    label: str
    policy: "Policy"
    task: "PolicyTask"
    steps: int
    frames: int


def _player(candidate: Candidate, task: str | None) -> Player:
    """The policy at its task, or at another one with the same observations and actions.

    Raises:
        BadReference: it is no policy, or the task is none for it.
    """
    from germline.cli.policy_fit import fitting
    from germline.evaluators.tasks.registry import absolute_name

    if candidate.kind != "policy":
        raise BadReference(f"expected a policy to play, got {candidate.label}, which is of kind {candidate.kind}")
    home = candidate.run.task if candidate.run else None
    name = absolute_name(task) if task else home
    if name is None:
        raise BadReference(f"expected a task for {candidate.label}, which is of no run; add --task gym:CartPole-v1")
    policy, chosen, spec = fitting(candidate, name)
    own = candidate.settings.get("steps") or spec.steps if name == home else spec.steps
    return Player(candidate.label, policy, chosen(), min(own, spec.steps), spec.frames)


def _play(player: Player, seeds: range) -> "tuple[list[EpisodeResult], float]":
    """What the episodes came to, and how many seconds it took, without compiling."""
    from time import perf_counter

    from germline.evaluators.policy.networks.backend import networks_of
    from germline.evaluators.policy.player import Episode, play
    from germline.evaluators.policy.task import environments_of
    from germline.programs.policy.parameters import replay

    networks = networks_of(player.policy.network, [replay(player.policy)])
    actions, episodes = player.policy.network.actions, [Episode(0, seed) for seed in seeds]
    with closing(environments_of(player.task, min(len(seeds), player.task.slots))) as environments:
        play(networks.forward, actions, environments, episodes[:1], 1, networks.assign_slots)
        began = perf_counter()
        played = play(networks.forward, actions, environments, episodes, player.steps, networks.assign_slots)
        return played, max(perf_counter() - began, 1e-9)


def _error(played: "EpisodeResult") -> str | None:
    """Why an episode does not count, if it does not: as in a search."""
    if played.error is None and played.diverged:
        return f"diverged: the return was {played.total_reward}"
    return played.error


def _film(player: Player, seed: int) -> "Film":
    """The episode once more, to be filmed.

    Raises:
        InvalidTask: the task cannot be drawn, or the episode not begin.
    """
    import os
    import sys

    from germline.evaluators.policy.film import Film
    from germline.evaluators.policy.networks.backend import networks_of
    from germline.programs.policy.parameters import replay

    # What draws needs no screen and no sound, and stdout is for the result.
    for name, value in (
        ("SDL_VIDEODRIVER", "dummy"),
        ("SDL_AUDIODRIVER", "dummy"),
        ("PYGAME_HIDE_SUPPORT_PROMPT", "1"),
    ):
        os.environ.setdefault(name, value)
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("MUJOCO_GL", "egl")  # of itself MuJoCo looks for a screen
    networks = networks_of(player.policy.network, [replay(player.policy)])
    actions = player.policy.network.actions
    return Film(networks.forward, actions, player.task, seed, player.steps, networks.assign_slots)


def _write(film: "Film", path: Path, seed: int, played: "EpisodeResult") -> None:
    """Takes the pictures of an episode, which has to come to the same as before.

    Raises:
        UserError: it came to something else, or the film cannot be written.
    """
    from germline.cli.video import write_film

    def pictures() -> "Iterator[Picture]":
        yield from film
        # As text, in which a return that is no number equals itself.
        result = film.result
        if result is None or f"{result.total_reward} {result.steps}" != f"{played.total_reward} {played.steps}":
            raise UserError(
                f"expected the episode of seed {seed} to come to the same when it is filmed ({played.total_reward:g}), "
                f"got {result.total_reward if result else 'nothing'}; no film was written",
                1,
            )

    write_film(path, pictures(), film.pace)


def _print(row: dict[str, Any]) -> None:
    from germline.cli.formatting import BAD, QUIET, counted, number, plain_table, print_table, safe, with_interval

    out = console()
    table = plain_table("seed", "return", "length", right=("seed", "return", "length"))
    for one in row["episodes"]:
        failed = one["error"] is not None
        table.add_row(str(one["seed"]), safe("failed", BAD) if failed else number(one["return"]), f"{one['length']:,}")
    print_table(out, table)
    for one in row["episodes"]:
        if one["error"] is not None:
            out.print(safe(f"seed {one['seed']}: {one['error']:.300}", BAD))
    mean = with_interval(row["mean"], row["interval"])
    well = sum(one["error"] is None for one in row["episodes"])
    out.print(safe(f"{row['ref']}: mean return {mean} over {counted(well, 'episode')}", "bold"))
    out.print(safe(f"{row['task']}, {row['frames']:,} frames, {row['frames_per_second']:,.0f} a second", QUIET))
    if row["video"]:
        out.print(safe(f"wrote {row['video']}: the episode of seed {row['episodes'][0]['seed']}"))
