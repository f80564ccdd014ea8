"""The options of `germline validate` that begin a tuned comparison."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from germline.cli.errors import UserError
from germline.cli.options import worker_options

F = TypeVar("F", bound=Callable[..., Any])


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
    """The options of a comparison as they were given; None, or empty: not given.

    Attributes:
        references: names of the contenders that the judged ones are compared with.
        trials: number of sampled points with which each contender is tuned.
        lengths: lengths of training, as multiples of the rung's steps.
        workers, executor, ray_address: where trainings run, see `germline search --help`.
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
        worker_options("trainings run", only_with="--against"),
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
