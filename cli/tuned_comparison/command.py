"""The options of `germline validate` that begin a tuned comparison, and what it does with them."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from germline.cli.database import open_store
from germline.cli.errors import UserError
from germline.cli.interrupts import deferred_signals
from germline.cli.options import worker_options
from germline.cli.output import check_output, console, print_json, stdout_apart
from germline.cli.pictures.formats import check_picture, picture_format
from germline.cli.printing import say
from germline.cli.reference import chosen
from germline.cli.session_options import SessionOptions
from germline.programs.export.files import write_whole

if TYPE_CHECKING:
    from germline.search.analysis.line_plot import LinePlot

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_TRIALS, DEFAULT_LENGTHS, DEFAULT_SEEDS = 64, (1.0, 4.0), 10


class Seeds(click.ParamType[int | str]):
    """A number of seeds from 1 to 1,000, or `auto`."""

    name = "seeds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        text = str(value)
        if text != "auto" and not (text.isdecimal() and 1 <= int(text[:5]) <= 1_000):
            self.fail(f"expected a number from 1 to 1,000, or auto, got {text!r:.40}", param, ctx)
        return text if text == "auto" else int(text)


class Lengths(click.ParamType[tuple[float, ...]]):
    """Multiples of a rung's steps such as `1,4`."""

    name = "lengths"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            lengths = tuple(float(part) for part in str(value).split(","))
        except ValueError:
            lengths = ()
        if not lengths or len(set(lengths)) < len(lengths) or not all(0.0 < length <= 1_000.0 for length in lengths):
            self.fail(f"expected different multiples of a rung's steps such as 1,4, got {str(value)!r:.40}", param, ctx)
        return lengths


@dataclass(frozen=True)
class AgainstOptions:
    """What was given of the options of a comparison; None and empty: not given.

    Attributes:
        references: what is compared with.
        trials: sampled points of each tuning.
        lengths: multiples of the rung's steps.
        workers, executor, ray_address: where trainings are done.
        path: a Markdown file to write.
        curves: a picture's file for the curves; beside it one for each task and length, if there are several.
        force: whether an existing file is replaced.
    """

    references: tuple[str, ...] = ()
    trials: int | None = None
    lengths: tuple[float, ...] | None = None
    workers: int | None = None
    executor: str | None = None
    ray_address: str | None = None
    path: Path | None = None
    curves: Path | None = None
    force: bool = False

    def require_unused(self) -> None:
        """Raises UserError if an option was given that needs `--against`."""
        given = {
            "--trials": self.trials,
            "--lengths": self.lengths,
            "--workers": self.workers,
            "--executor": self.executor,
            "--ray-address": self.ray_address,
            "--output": self.path,
            "--curves": self.curves,
        }
        for option, value in given.items():
            if value is not None:
                raise UserError(
                    f"expected --against with {option}, which belongs to a comparison; add it, or leave it out"
                )


def against_options(command: F) -> F:
    """Adds `--against` and the options that belong to it, as the argument `against`."""

    @wraps(command)
    def wrapper(*args: Any, **options: Any) -> Any:
        names = [declared.name for declared in fields(AgainstOptions)]
        of_comparison = {name: options.pop(f"against_{name}") for name in names}
        return command(*args, against=AgainstOptions(**of_comparison), **options)

    for option in (
        click.option("--force", "against_force", is_flag=True, help="Replace an existing file."),
        click.option(
            "-o",
            "--output",
            "against_path",
            type=click.Path(path_type=Path, dir_okay=False),
            default=None,
            help="With --against: a file for the tables as Markdown, .md.",
        ),
        click.option(
            "--curves",
            "against_curves",
            type=click.Path(path_type=Path, dir_okay=False),
            default=None,
            metavar="FILE",
            help="With --against: draw the loss curves, a picture (.svg, .png or .pdf) for each task and length.",
        ),
        worker_options("trainings are done", only_with="--against"),
        click.option(
            "--lengths",
            "against_lengths",
            type=Lengths(),
            default=None,
            help="With --against: lengths of training, as multiples of the rung's steps.  [default: 1,4]",
        ),
        click.option(
            "--trials",
            "against_trials",
            type=click.IntRange(1, 4_096),
            default=None,
            help="With --against: sampled points that each contender is tuned with.  [default: 64]",
        ),
        click.option(
            "--against",
            "against_references",
            multiple=True,
            metavar="REF,...",
            help="Judge beside these optimizers: REF, torch:NAME, FILE.py:Class, or baselines (five of the library).",
        ),
    ):
        wrapper = option(wrapper)
    return cast(F, wrapper)


def compare_fairly(
    references: tuple[str, ...],
    criterion: str | None,
    tasks: tuple[str, ...],
    rung: int | None,
    seeds: int | str | None,
    against: AgainstOptions,
    device: str,
    url: str,
    as_json: bool,
) -> None:
    """Compares, prints and writes the result."""
    if against.path is not None:
        check_output(against.path, ".md", against.force)
    # Imports torch, which takes seconds; `germline validate --help` answers without.
    from germline.cli.tuned_comparison.curves import picture_paths, plots
    from germline.cli.tuned_comparison.kept import keep_verdicts
    from germline.cli.tuned_comparison.output import as_data, markdown, print_comparison
    from germline.cli.tuned_comparison.session import ComparisonOptions, tuned_comparison
    from germline.evaluators.executors.executor import Stopped
    from germline.evaluators.optimizer.torch_classes import is_class_name
    from germline.evaluators.tasks.name_grammar import absolute_name, names_of
    from germline.evaluators.tasks.registry import confirmed_name

    with stdout_apart():
        candidates = [each if is_class_name(each) else chosen(each, criterion, url) for each in references]
        runs = [candidate.run for candidate in candidates if not isinstance(candidate, str) and candidate.run]
        run_tasks = [confirmed_name(run.task) for run in runs] if not tasks else []
        named = [absolute_name(task) for task in tasks] or [*run_tasks[:1]] or ["digits-mlp"]
        names = [name for task in named for name in names_of(task)]
        options = ComparisonOptions(
            against.references,
            tuple(dict.fromkeys(names)),
            rung or 0,
            against.trials or DEFAULT_TRIALS,
            against.lengths or DEFAULT_LENGTHS,
            None if seeds == "auto" else int(seeds or DEFAULT_SEEDS),
            SessionOptions(None, against.workers, against.executor or "auto", device, against.ray_address),
        )
        if options.seeds is not None and not 2 <= options.seeds <= 40:
            raise UserError(f"expected 2 to 40 seeds with --against, or auto, got {options.seeds}")
        if against.curves is not None:
            for drawing in picture_paths(options.tasks, options.lengths, against.curves):
                check_picture(drawing, against.force)
        with open_store(url, create=True) as store, deferred_signals() as received:
            try:
                comparison = tuned_comparison(candidates, options, store, url, lambda: bool(received))
            except Stopped:
                message = "interrupted; what is trained is recorded, and the same command goes on from there"
                raise UserError(message, 128 + received[0]) from None
        kept = keep_verdicts([each for each in candidates if not isinstance(each, str)], comparison, url)
    if against.path is not None:
        write_whole(against.path, markdown(comparison, _command(references, options)))
    drawings = {} if against.curves is None else plots(comparison, against.curves)
    for drawing, plot in drawings.items():
        write_whole(drawing, _picture(plot, picture_format(drawing)))
    if as_json:
        print_json(as_data(comparison))
    else:
        print_comparison(console(), comparison)
        for written in [*([against.path] if against.path is not None else []), *drawings]:
            say(f"wrote {written}")
        if kept:
            say(f"recorded the verdict on {', '.join(kept)}")


def _picture(plot: "LinePlot", file_format: str) -> bytes:
    from germline.cli.pictures.line_picture import line_picture  # imports matplotlib
    from germline.cli.pictures.page import picture_bytes

    return picture_bytes(line_picture(plot), file_format)


def _command(references: tuple[str, ...], options: Any) -> str:
    """The command that makes the same comparison."""
    words = ["germline", "validate", *references, "--against", ",".join(options.against)]
    for task in options.tasks:
        words += ["--task", task]
    words += ["--rung", str(options.rung), "--trials", str(options.trials)]
    words += ["--lengths", ",".join(f"{length:g}" for length in options.lengths)]
    return shlex.join([*words, "--seeds", "auto" if options.seeds is None else str(options.seeds)])
