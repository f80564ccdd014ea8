"""A search session on a terminal: options, signals, budgets, the live view, and the last word."""

import functools
import os
import re
import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import click

from germline.cli.common import data_option, print_json, stdout_apart
from germline.cli.errors import UserError

if TYPE_CHECKING:
    from germline.db.records import RunRecord
    from germline.db.store import Store
    from germline.search.loop import Progress

F = TypeVar("F", bound=Callable[..., Any])

_PASSWORD = re.compile(r"(://[^:/@]*:)[^@]*(@)")

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Duration(click.ParamType[float]):
    """`90`, `90s`, `10m`, `2h` or `1d`, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value)
        number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "s")
        try:
            seconds = float(number) * UNITS[unit]
        except ValueError:
            seconds = 0.0
        if not 0.0 < seconds < float("inf"):
            self.fail(f"expected a time such as 90s, 10m or 2h, got {text!r:.40}", param, ctx)
        return seconds


class Amount(click.ParamType[int]):
    """`2M`, `400k` or `2000000`."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from germline.search.settings import amount

        try:
            found = amount(str(value))
        except ValueError:
            found = None
        if found is None:
            self.fail(f"expected a number such as 2M, 400k or 2000000, got {str(value)!r:.40}", param, ctx)
        return found


frames_option = click.option(
    "--frames",
    type=Amount(),
    default=None,
    metavar="2M",
    help="Policies only: begin no block after so many frames were played in all, reviews included.",
)


WORKERS = "Workers; unless given one a core, or one alone for tasks that take milliseconds."


def run_options(command: F) -> F:
    """How a run is run: none of these options changes what comes out. They arrive as one `session` argument."""

    @click.option(
        "--time",
        "seconds",
        type=Duration(),
        default=None,
        metavar="10m",
        help="Stop when a pack is done after this long.",
    )
    @click.option("--workers", type=click.IntRange(min=1), default=None, help=WORKERS)
    @click.option(
        "--executor",
        type=click.Choice(["auto", "ray", "inline"]),
        default="auto",
        show_default=True,
        help="Ray, or this process; auto: Ray for more than one worker.",
    )
    @click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Where candidates are trained, or the networks of policies computed.",
    )
    @click.option("--ray-address", default=None, metavar="ADDRESS", help="A running Ray cluster: auto, or host:port.")
    @data_option(expose=True)
    @functools.wraps(command)
    def wrapper(
        *args: Any,
        seconds: float | None,
        workers: int | None,
        executor: str,
        device: str,
        ray_address: str | None,
        data: str | None,
        **kwargs: Any,
    ) -> Any:
        session = Session(seconds, workers, executor, device, ray_address, data)
        return command(*args, session=session, **kwargs)

    return wrapper  # type: ignore[return-value]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


@dataclass(frozen=True)
class Session:
    """How a search is run this time."""

    seconds: float | None
    workers: int | None
    """None: as many as suit the task."""
    executor: str
    device: str
    ray_address: str | None
    data: str | None = None

    def run(
        self,
        store: "Store",
        run: "RunRecord",
        url: str,
        births: int | None = None,
        evaluations: int | None = None,
        frames: int | None = None,
        force: bool = False,
        as_json: bool = False,
    ) -> None:
        """Runs the search to its budget, shows where it stands, and says how to go on.

        Raises:
            UserError: interrupted (status 130 or 143).
            MissingData: the task's data are not where they are looked for.
        """
        from germline.cli.live import live_view
        from germline.evaluators.tasks.registry import task_class
        from germline.search.run import evolve

        with stdout_apart():
            task = task_class(run.task)
            task.check_data()
        alone = self.executor == "inline" or (self.executor == "auto" and task.light and not self.ray_address)
        last: Progress | None = None
        goal = births if births or evaluations or frames else run.config["births"]
        resume = f"germline resume {run.name}"
        if url not in ("sqlite:///germline.db", os.environ.get("GERMLINE_DB")):
            resume += " --db " + shlex.quote(_PASSWORD.sub(r"\1***\2", url))
        if self.data is not None:
            resume += " --data " + shlex.quote(self.data)
        with _signals() as caught:
            events = evolve(
                store,
                run.name,
                workers=self.workers or (1 if alone else _cores()),
                executor=self.executor,  # type: ignore[arg-type]
                device=self.device,
                ray_address=self.ray_address,
                births=births,
                evaluations=evaluations,
                frames=frames,
                seconds=self.seconds,
                force=force,
                stopped=lambda: bool(caught),
            )
            try:
                with live_view(run, goal, self.seconds) as show, stdout_apart():
                    for last in events:
                        show(last)
            finally:
                events.close()  # type: ignore[attr-defined]
        if caught:
            raise UserError(f"interrupted; everything scored is kept. Go on with: {resume}", 128 + caught[0])
        finish(store, run, last, resume, as_json)


def finish(store: "Store", run: "RunRecord", last: "Progress | None", resume: str, as_json: bool) -> None:
    """The last word of a session: what was found, and the next commands.

    The winner is what the strategy hands over: with a funnel, the best at the longer rung.
    """
    from germline.cli.commands.runs import row
    from germline.cli.policy_text import told
    from germline.cli.render import duration, number
    from germline.search.analysis.policy_scores import decisive_score, source

    summary = next(one for one in store.runs() if one.name == run.name)
    winner = score = None
    if last is not None and last.winner is not None:
        scored = store.individual(run.name, last.winner.birth)
        winner = {"birth": last.winner.birth, "fitness": scored.evaluation.fitness if scored.evaluation else None}
        score = decisive_score(store.reviews(run.id, last.winner.fingerprint)) if run.kind == "policy" else None
    saved = summary.rejected * store.mean_seconds(run.name) if summary.rejected else 0.0
    if as_json:
        print_json({**row(summary), "winner": winner, "saved_seconds": saved})
        return
    if last is None or last.best is None:
        if summary.status == "finished" and summary.failures:
            causes = [one.error or one.status for one in store.evaluations(run.id)]
            raise UserError(
                f"none of the {summary.failures} scorings of {run.name} went well; the last: {causes[-1]}", 1
            )
        click.echo(f"{run.name}: {summary.status}; nothing was scored well yet. Go on with: {resume}")
        return
    click.echo(
        f"{run.name}: {summary.status} after {summary.births} births, {summary.evaluations} evaluations, "
        f"{summary.cache_hits} cache hits, {summary.failures} failures"
    )
    start = "not scored" if last.start is None or last.start.fitness is None else number(last.start.fitness)
    compared = "" if run.kind == "policy" else f"  (start {start})"  # a policy starts with random weights
    click.echo(f"best    {run.name}:{last.best.individual.birth}  fitness {number(last.best.fitness)}{compared}")
    if winner and score and source(score) != "fitness":
        click.echo(f"winner  {run.name}:{winner['birth']}  {source(score)} {told(score)}")
    elif winner and winner["birth"] != last.best.individual.birth:
        click.echo(f"winner  {run.name}:{winner['birth']}  fitness {number(winner['fitness'])}, {_why(run, last)}")
    if summary.rejected:
        time = f", about {duration(saved)} of scoring saved" if saved >= 1 else ""
        click.echo(f"limits  {summary.rejected:,} genomes over the limits were thrown away unscored{time}")
    click.echo(f"next    germline show {run.name}   germline export {run.name} -o found.py")
    if summary.status == "stopped":
        click.echo(f"go on   {resume}")


def _why(run: "RunRecord", last: "Progress") -> str:
    """By what the winner is one, where it is not the fittest."""
    if last.reviews:
        return "the best of the reviews (germline show)"
    settings = run.config.get("settings", {})
    if settings.get("strategy") == "eeea":
        return "what EEEA-Net's code hands over; choose by --pick instead"
    objectives = settings.get("objectives", [])
    return "the knee of the front (germline top)" if len(objectives) > 1 else f"the least {' '.join(objectives)}"


@contextmanager
def _signals() -> Iterator[list[int]]:
    """The first SIGINT or SIGTERM ends the session in order, the second at once. Gives the signals that came.

    The handler raises nothing: it may have come in the middle of a transaction or of a call into Ray. In this process
    the pack in flight is finished first; what runs on Ray is dropped.
    """
    seen: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        for one in before:  # the next one is the system's own, which waits for nothing, not even for compiled code
            signal.signal(one, signal.SIG_DFL)
        os.write(2, b"stopping after what is in flight; once more to leave at once\n")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
