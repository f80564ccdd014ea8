"""Several searches in a row that differ in their seed: `germline search KIND --seeds N`."""

from typing import Any

from germline.cli.database import open_store
from germline.cli.errors import UserError
from germline.cli.options import SessionOptions
from germline.cli.output import print_json
from germline.cli.printing import command_line, say
from germline.cli.search_session import start


def start_with_seeds(options: SessionOptions, url: str, as_json: bool, count: int, **run: Any) -> None:
    """Searches `count` times, with the seeds `seed`, `seed + 1`, … A run with a name is called `NAME-SEED`.

    Args:
        options: how each search runs; a time limit is for each.
        url: the database, which is created if it does not exist.
        as_json: whether to print a list of the summaries as JSON, at the end.
        count: number of runs.
        run: arguments of `germline.search.run.plan_run`; `seed` is that of the first run.

    Raises:
        UserError and others: as `start`, or a name is taken; the runs that were not begun are named on stderr.
    """
    first, name = run.pop("seed"), run.pop("name")
    seeds = range(first, first + count)
    names = {seed: f"{name}-{seed}" if name is not None else None for seed in seeds}
    _check_names(url, [each for each in names.values() if each is not None])
    rows: list[dict[str, Any]] = []
    begun = first
    try:
        for begun in seeds:
            start(options, url, as_json, rows.append, **run, seed=begun, name=names[begun])
    except BaseException:
        if begun + 1 < seeds.stop:
            missing = f"--seed {begun + 1} --seeds {seeds.stop - begun - 1}"
            say(
                f"not begun: seeds {begun + 1} to {seeds.stop - 1}; the same search with {missing} begins them",
                err=True,
            )
        raise
    finally:
        if as_json:
            print_json(rows)
    if name is not None and not as_json:
        say(f"spread  {command_line('compare', f'{name}-*')}")


def _check_names(url: str, names: list[str]) -> None:
    """Raises UserError if a run has one of the names already, before hours are spent on the others."""
    with open_store(url, create=True) as store:
        taken = {row.name for row in store.runs()} & set(names)
    if taken:
        raise UserError(
            f"expected names that are free, {', '.join(sorted(taken))} exists already; choose another --name"
        )
