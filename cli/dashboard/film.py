"""The film of a policy: the offer on the page of an individual, the order that a film follows from, and its texts."""

from dataclasses import dataclass
from typing import Any

from germline.cli.candidate import Candidate
from germline.cli.database import on_database
from germline.cli.formatting import counted, number
from germline.cli.printing import command_line, on_a_line
from germline.evaluators.tasks.registry import needs_confirmation

EPISODES = 5
"""Episodes of which the median one is shown: as many as `germline play` plays, from the same first seed, 0."""

MOST_DECISIONS = 2_000
"""Decisions after which an episode is cut: longer ones are for `germline play`, which may take its time."""

MOST_BYTES = 16_000_000
"""The largest film that a page shows."""

_WIDEST, _TALLEST = 600, 450
"""Smaller pictures are shown enlarged by the largest whole number with which they fit, in pixels of the screen."""


class NoFilm(ValueError):
    """There is no film; the message says why, in one line."""


@dataclass(frozen=True)
class FilmOrder:
    """What a film follows from, but for its label.

    Attributes:
        label: what messages call the policy: `RUN:BIRTH`.
        genome: the text of the policy.
        task: the name of its run's task, which is built in or installed.
        steps: the most decisions of an episode by the settings of its run; 0: the limit of the task.
    """

    label: str
    genome: str
    task: str
    steps: int


@dataclass(frozen=True)
class Film:
    """A film of the median episode of `EPISODES`.

    Attributes:
        image: the bytes of a GIF.
        width, height: of its pictures, in pixels.
        seed, total_reward, decisions: of the episode.
        whole: False if one of the episodes was cut after `MOST_DECISIONS`.
    """

    image: bytes
    width: int
    height: int
    seed: int
    total_reward: float
    decisions: int
    whole: bool


def film_offer(candidate: Candidate, url: str) -> dict[str, Any] | None:
    """What the page of an individual says before the film is asked for. None for kinds that play no episodes.

    Args:
        candidate: an individual.
        url: the database, which the command names unless it is the default.

    Returns:
        `episodes`, the number of episodes of which one is filmed; `command`, which films it without the dashboard; and
        `refusal`, why the dashboard does not, or nothing.
    """
    if candidate.kind != "policy" or candidate.run is None:
        return None
    task, refusal = candidate.run.task, ""
    words = ["play", candidate.label]
    if needs_confirmation(task):
        refusal = "The task is code that a database must not choose, so it is not imported here. If you trust it:"
        words += ["--task", task]
    return {
        "episodes": EPISODES,
        "command": on_database(command_line(*words, "--video", "film.gif"), url),
        "refusal": refusal,
    }


def film_order(candidate: Candidate) -> FilmOrder:
    """The order for the film of a policy of a run.

    Raises:
        NoFilm: the task is code that a database must not choose, or the settings of the run cannot be read.
    """
    from germline.search.kinds.policy import PolicySettings  # imports numpy

    assert candidate.run is not None
    if needs_confirmation(candidate.run.task):
        raise NoFilm("the task of the run is code that a database must not choose; it is not imported")
    try:
        settings = candidate.settings
    except (ValueError, TypeError, AttributeError) as error:  # a config may come from anywhere
        raise NoFilm(on_a_line(f"the settings of the run cannot be read: {error}", 400)) from None
    steps = settings.steps if isinstance(settings, PolicySettings) else 0
    return FilmOrder(candidate.label, candidate.genome, candidate.run.task, steps)


def film_texts(film: Film, order: FilmOrder, source: str) -> dict[str, Any]:
    """What a page says of a film.

    Args:
        film: the film.
        order: what it was made of.
        source: the address of its image, or the image itself as a `data:` address.
    """
    scale = max(1, min(_WIDEST // film.width, _TALLEST // film.height))
    episode = f"seed {film.seed}, return {number(film.total_reward)}, {counted(film.decisions, 'decision')}"
    name = on_a_line(order.label, 80)
    return {
        "source": source,
        "width": scale * film.width,
        "height": scale * film.height,
        "enlarged": scale > 1,
        "alt": f"Film of policy {name} on {on_a_line(order.task, 80)}: the episode of {episode}",
        "caption": f"The episode with the median return of {EPISODES}: {episode}.",
        "cut": "" if film.whole else f"Episodes are cut after {MOST_DECISIONS:,} decisions here.",
        "problem": "",
    }


def no_film_texts(problem: NoFilm) -> dict[str, Any]:
    """What a page says in place of a film."""
    return {"problem": on_a_line(f"No film: {problem}", 600)}
