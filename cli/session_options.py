"""The options of a session: how `search` and `resume` run in this process."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any, TypeVar, cast

import click

from germline.cli.options import Duration, data_option, device_option, worker_options

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class SessionOptions:
    """How a search runs in this session. It changes no result, except that the device decides the packs of a new run.

    Attributes:
        seconds: time limit, or None.
        workers: number of workers; None: as many as suit the task.
        executor: `auto`, `ray` or `inline`.
        device: `auto`, `cpu` or `cuda`.
        ray_address: address of a running Ray cluster, or None.
        data: directory of data sets, or None for the default.
        loggers: whom to tell of the run (`germline.search.loggers`), such as `tensorboard:logs`.
    """

    seconds: float | None
    workers: int | None
    executor: str
    device: str
    ray_address: str | None
    data: str | None = None
    loggers: tuple[str, ...] = ()


def session_options(command: F) -> F:
    """Adds the options of `SessionOptions`, as the argument `session`."""

    @click.option(
        "--time",
        "seconds",
        type=Duration(),
        default=None,
        metavar="10m",
        help="Time limit: stop after the packs in flight at that time.",
    )
    @worker_options()
    @device_option()
    @data_option(expose=True)
    @click.option(
        "--log",
        "loggers",
        multiple=True,
        metavar="LOGGER",
        help="Also log figures and the winner: tensorboard:DIR, mlflow[:URI] or wandb[:PROJECT]; repeatable.",
    )
    @wraps(command)
    def wrapper(*args: Any, **options: Any) -> Any:
        of_session = {declared.name: options.pop(declared.name) for declared in fields(SessionOptions)}
        return command(*args, session=SessionOptions(**of_session), **options)

    return cast(F, wrapper)
