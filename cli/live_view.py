"""The live view of a search, on stderr: a panel on a terminal, elsewhere at most a line every 15 seconds."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.text import Text

from germline.cli.output import console
from germline.cli.phrases import Phrases
from germline.cli.presenters.registry import presenter_of, presenter_of_text
from germline.cli.printing import say
from germline.db.records import RunRecord
from germline.search.progress import Progress

LOG_SECONDS = 15.0
"""Seconds between two lines where there is no terminal."""


@contextmanager
def live_view(run: RunRecord, births: int | None, seconds: float | None) -> Iterator[Callable[[Progress], None]]:
    """Yields a function that shows a `Progress` on stderr.

    Args:
        run: the run.
        births: number of births at which the session ends, or None.
        seconds: time limit of the session, or None.
    """
    view = _View(run, births, seconds)
    if not sys.stderr.isatty():
        yield view.log
        view.log_last()
        return

    with Live(get_renderable=view.panel, console=console(stderr=True), refresh_per_second=4, transient=True):
        yield view.keep


class _View:
    """The latest progress, the start time, and their text."""

    def __init__(self, run: RunRecord, births: int | None, seconds: float | None) -> None:
        self.run = run
        self.dead_parts = presenter_of(run.kind).dead_parts
        self.births = births
        self.seconds = seconds
        self.began = time.monotonic()
        self.first: Progress | None = None
        self.last: Progress | None = None
        self.logged = self.began - LOG_SECONDS
        self.written: Progress | None = None
        self.best_view: tuple[int, RenderableType] | None = None  # birth, and the view of its genome

    def keep(self, progress: Progress) -> None:
        if self.first is None:
            self.first, self.began = progress, time.monotonic()
        self.last = progress

    def log(self, progress: Progress) -> None:
        self.keep(progress)
        now = time.monotonic()
        if now - self.logged >= LOG_SECONDS:
            self.logged, self.written = now, progress
            say(f"{self.run.name}: {', '.join(self._counts(progress))}", err=True)

    def log_last(self) -> None:
        """Writes the last progress of a session without a terminal, unless it was the last line already."""
        if self.last is not None and self.last is not self.written:
            say(f"{self.run.name}: {', '.join(self._counts(self.last))}", err=True)

    def panel(self) -> RenderableType:
        # A text, because rich would take brackets in a string for markup.
        title = Text(f"{self.run.name} · {self.run.kind} on {self.run.task} · seed {self.run.seed}")
        if self.last is None:
            return Panel(Text("starting the workers and loading the task …", style="dim"), title=title)
        lines = [Phrases(self._counts(self.last)), Phrases(self._clock(self.last), style="dim")]
        bar = ProgressBar(total=self.births or 1, completed=self.last.births if self.births else 0)
        return Panel(Group(*lines, bar, *self._best(self.last)), title=title, border_style="dim")

    def _best(self, progress: Progress) -> list[RenderableType]:
        if progress.best is None:
            return [Text("no ok outcome yet")]
        individual, fitness = progress.best.individual, progress.best.fitness
        start = progress.start.fitness if progress.start else None
        comparison = "" if start is None else f"   start {start:.4f}"
        heading = f"\nbest so far: birth {individual.birth} ({individual.operator}), fitness {fitness:.4f}{comparison}"
        if self.best_view is None or self.best_view[0] != individual.birth:
            genome = individual.genome
            self.best_view = (individual.birth, presenter_of_text(genome).live_view(genome))
        return [Text(heading), self.best_view[1]]

    def _counts(self, progress: Progress) -> list[str]:
        """Counts of the run, with rates of this session alone."""
        first = self.first or progress
        elapsed = max(time.monotonic() - self.began, 1e-9)
        hits = progress.cache_hits / max(progress.births, 1)
        frames_rate = (progress.frames - first.frames) / elapsed
        counts = [
            f"{progress.births} births{_rate(progress.births - first.births, elapsed)}",
            f"{progress.evaluations} evaluations{_rate(progress.evaluations - first.evaluations, elapsed)}",
            f"{_amount(progress.frames)} frames" + (f" ({_amount(frames_rate)}/s)" if frames_rate else "")
            if progress.frames
            else f"cache hits {hits:.0%}",
        ]
        if progress.reviewing:  # no birth comes meanwhile, for a minute where reviews are long
            counts.insert(1, f"reviewing, {progress.reviewing} to go")
        if progress.dead_share is not None and self.dead_parts is not None:
            counts.append(f"{self.dead_parts} {progress.dead_share:.0%}")
        if progress.failures:
            counts.append("failed: " + ", ".join(f"{n} {status}" for status, n in sorted(progress.failures.items())))
        if progress.best is not None:
            counts.append(f"best {progress.best.fitness:.4f}")
        return counts

    def _clock(self, progress: Progress) -> list[str]:
        """Elapsed time and, if it can be estimated, remaining time."""
        elapsed = time.monotonic() - self.began
        parts = [f"elapsed {_clock(elapsed)}"]
        births = progress.births - (self.first or progress).births
        remaining = []
        if self.births and births:
            remaining.append(elapsed * (self.births - progress.births) / births)
        if self.seconds:
            remaining.append(self.seconds - elapsed)
        if remaining:
            parts.append(f"remaining about {_clock(max(0.0, min(remaining)))}")
        return parts


def _rate(count: int, seconds: float) -> str:
    """A rate in brackets; empty where nothing came yet, because a rate of zero looks like a search that hangs."""
    return f" ({count / seconds:.1f}/s)" if count else ""


def _amount(number: float) -> str:
    """A number with three digits and a suffix for thousands, millions or billions: `950`, `12.3k`, `4.56M`, `2500G`."""
    unit = ""
    for letter in ("k", "M", "G"):
        if number < 999.5:  # from here on three digits round to 1000
            break
        number, unit = number / 1e3, letter
    return f"{number:.3g}{unit}" if unit and number < 999.5 else f"{number:.0f}{unit}"


def _clock(seconds: float) -> str:
    """A time in minutes and seconds, `3:25`; from an hour on with hours, `1:03:25`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
