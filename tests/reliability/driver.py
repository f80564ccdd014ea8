"""A process that drives a run, writes an acknowledgement log, and can end itself by SIGKILL at a named point.

usage: driver.py CONFIG, where CONFIG is the JSON of a `sessions.Session`. The run is created unless it exists.
"""

import json
import os
import pathlib
import signal
import sys
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

from germline.db import migrate
from germline.db.errors import UnknownRun
from germline.db.store import Store
from germline.evaluators.executors.inline_executor import InlineExecutor
from germline.search.loop import Search
from germline.search.run import evolve, new_run


def kill_at(point: str, number: int) -> None:
    """Ends this process by SIGKILL when it is at `point` for the `number`-th time.

    Args:
        point: `before` or `after`, and a step of the loop or the database, such as `before breed`.
    """
    when, step = point.split(maxsplit=1)
    if step == "commit":
        if when == "before":
            event.listen(Engine, "commit", _counter(number))
        else:
            # SQLAlchemy has no event after a commit: the next statement of any kind comes after it.
            event.listen(Engine, "commit", _counter(number, lambda: event.listen(Engine, "begin", _counter(1))))
        return
    owner, name = _STEPS[step]
    original = getattr(owner, name)
    reached = _counter(number)

    def replacement(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            reached()
        result = original(*args, **kwargs)
        if when == "after":
            reached()
        return result

    setattr(owner, name, replacement)


_STEPS: dict[str, tuple[Any, str]] = {
    "breed": (Search, "_breed"),
    "score": (InlineExecutor, "next"),
    "record": (Search, "_receive"),
    "advance": (Search, "_advance"),
    "create": (migrate, "create_schema"),
    "rename": (pathlib.Path, "replace"),
}
"""The function of each step of a run; wrapping it gives the points before and after."""

POINTS = tuple(f"{when} {step}" for step in (*_STEPS, "commit") for when in ("before", "after"))


def _counter(number: int, action: Callable[[], object] | None = None) -> Callable[..., None]:
    """A function that kills this process, or calls `action`, when it is called for the `number`-th time."""
    left = number

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            if action is None:
                os.kill(os.getpid(), signal.SIGKILL)
            else:
                action()

    return count


def main() -> None:
    config = json.loads(sys.argv[1])
    if config["kill_at"] is not None:
        kill_at(*config["kill_at"])
    received: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: received.append(number))
    log = os.open(config["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with Store(config["database"]) as store:
        try:
            store.run(config["run"])
        except UnknownRun:
            new_run(store, name=config["run"], **config["settings"])
        session = {name: config[name] for name in ("workers", "executor", "ray_address")}
        session["task"] = config["settings"].get("task")
        for progress in evolve(store, config["run"], **session, stopped=lambda: bool(received)):
            os.write(log, f"{progress.births} {progress.evaluations}\n".encode())
    if received:
        sys.exit(128 + received[0])
    if config["export"]:
        from click.testing import CliRunner

        from germline.cli.main import cli

        arguments = ["export", config["run"], "-o", config["export"], "--force", "--db", config["database"]]
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0, result.output
        assert pathlib.Path(config["export"]).exists()


if __name__ == "__main__":
    main()
