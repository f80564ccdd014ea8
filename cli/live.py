"""The live view of a search: one panel on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from germline.cli.errors import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from germline.db.records import RunRecord
    from germline.search.loop import Progress

LOG_SECONDS = 15.0
"""Time between two lines where there is no terminal."""


@contextmanager
def live_view(run: "RunRecord", births: int | None, seconds: float | None) -> Iterator[Callable[["Progress"], None]]:
    """Gives a function that shows a `Progress`; everything goes to stderr."""
    view = _View(run, births, seconds)
    if not sys.stderr.isatty():
        yield view.log
        view.say_last()
        return
    from rich.console import Console
    from rich.live import Live

    with Live(get_renderable=view.panel, console=Console(stderr=True), refresh_per_second=4, transient=True):
        yield view.keep


class _View:
    """Holds the latest progress and the clock, and draws them."""

    def __init__(self, run: "RunRecord", births: int | None, seconds: float | None) -> None:
        self.run = run
        self.births = births
        self.seconds = seconds
        self.began = time.monotonic()
        self.first: Progress | None = None
        self.last: Progress | None = None
        self.logged = self.began - LOG_SECONDS
        self.drawn: tuple[int, RenderableType] | None = None

    def keep(self, progress: "Progress") -> None:
        if self.first is None:
            self.first, self.began = progress, time.monotonic()
        self.last = progress

    def log(self, progress: "Progress") -> None:
        self.keep(progress)
        now = time.monotonic()
        if now - self.logged >= LOG_SECONDS:
            self.logged = now
            click.echo(f"{self.run.name}: {', '.join(self._counts(progress))}", err=True)

    def say_last(self) -> None:
        """The line with which a session without a terminal ends."""
        if self.last is not None:
            click.echo(f"{self.run.name}: {', '.join(self._counts(self.last))}", err=True)

    def panel(self) -> "RenderableType":
        from rich.console import Group
        from rich.panel import Panel
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        title = f"{self.run.name} · {self.run.kind} on {self.run.task} · seed {self.run.seed}"
        if self.last is None:
            return Panel(Text("starting the workers and loading the task …", style="dim"), title=title)
        lines = [Text("  ".join(self._counts(self.last))), Text("  ".join(self._clock(self.last)), style="dim")]
        bar = ProgressBar(total=self.births or 1, completed=self.last.births if self.births else 0)
        return Panel(Group(*lines, bar, *self._best(self.last)), title=printable(title), border_style="dim")

    def _best(self, progress: "Progress") -> "list[RenderableType]":
        from rich.text import Text

        if progress.best is None:
            return [Text("nothing scored well yet")]
        individual, fitness = progress.best.individual, progress.best.fitness
        start = progress.start.fitness if progress.start else None
        against = "" if start is None else f"   start {start:.4f}"
        told = Text(f"\nbest so far: birth {individual.birth} ({individual.operator}), fitness {fitness:.4f}{against}")
        if self.drawn is None or self.drawn[0] != individual.birth:
            self.drawn = (individual.birth, _genome(individual.genome))
        return [told, self.drawn[1]]

    def _counts(self, progress: "Progress") -> list[str]:
        first = self.first or progress
        elapsed = max(time.monotonic() - self.began, 1e-9)
        hits = progress.cache_hits / max(progress.births, 1)
        counts = [
            f"{progress.births} births ({(progress.births - first.births) / elapsed:.1f}/s)",
            f"{progress.evaluations} evaluations ({(progress.evaluations - first.evaluations) / elapsed:.1f}/s)",
            f"{_short(progress.frames)} frames ({_short((progress.frames - first.frames) / elapsed)}/s)"
            if progress.frames
            else f"cache hits {hits:.0%}",
        ]
        if progress.dead_share is not None and self.run.kind == "optimizer":
            counts.append(f"dead statements {progress.dead_share:.0%}")
        if progress.failures:
            counts.append("failed: " + ", ".join(f"{n} {status}" for status, n in sorted(progress.failures.items())))
        if progress.best is not None:
            counts.append(f"best {progress.best.fitness:.4f}")
        return counts

    def _clock(self, progress: "Progress") -> list[str]:
        elapsed = time.monotonic() - self.began
        texts = [f"elapsed {_clock(elapsed)}"]
        done = progress.births - (self.first or progress).births
        guesses = []
        if self.births and done:
            guesses.append(elapsed * (self.births - progress.births) / done)
        if self.seconds:
            guesses.append(self.seconds - elapsed)
        if guesses:
            texts.append(f"remaining about {_clock(max(0.0, min(guesses)))}")
        return texts


def _genome(text: str) -> "RenderableType":
    """A genome to look at; of a program what lives."""
    from rich.syntax import Syntax
    from rich.text import Text

    from germline.cli.genome_text import genome_view, gist, kind_of

    kind = kind_of(text)
    if kind == "architecture":
        return genome_view(text)
    if kind == "policy":
        return Text(printable(gist(text)))
    from germline.programs.optimizer import parse, write
    from germline.programs.optimizer.graph import live_program

    return Syntax(printable(write(live_program(parse(text))).rstrip()), "python", background_color="default")


def _short(number: float) -> str:
    """`950`, `12.3k`, `4.56M`."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.0f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
