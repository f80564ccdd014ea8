"""Several searches in a row that differ in their seed: `germline search KIND --seeds N`."""

from collections.abc import Sequence
from typing import Any

from germline.cli.database import on_database, open_store
from germline.cli.errors import UserError
from germline.cli.output import print_json
from germline.cli.printing import command_line, say
from germline.cli.search_session import start
from germline.cli.session_options import SessionOptions
from germline.db.errors import DatabaseError
from germline.db.records import RunRecord


def start_with_seeds(options: SessionOptions, url: str, as_json: bool, count: int, **run: Any) -> None:
    """Searches `count` times, with the seeds `seed`, `seed + 1`, … A run with a name is called `NAME-SEED`.

    Args:
        options: how each search runs; a time limit is for each.
        url: the database, which is created if it does not exist.
        as_json: whether to print a list of the summaries as JSON, at the end.
        count: number of runs.
        run: arguments of `germline.search.run.plan_run`; `seed` is that of the first run.

    Raises:
        UserError and others: as `start`, or a name is taken; the seeds without a run are named on stderr.
    """
    first, name = run.pop("seed"), run.pop("name")
    seeds = range(first, first + count)
    names = {seed: f"{name}-{seed}" if name is not None else None for seed in seeds}
    _check_names(url, [each for each in names.values() if each is not None])
    rows: list[dict[str, Any]] = []
    runs: list[RunRecord] = []
    seed = first
    try:
        for seed in seeds:
            start(options, url, as_json, rows.append, runs.append, **run, seed=seed, name=names[seed])
    except BaseException:
        _say_what_is_missing(seeds, seed, _is_recorded(url, runs, seed))
        raise
    finally:
        if as_json and (rows or runs):
            print_json(rows)
    if name is not None and not as_json:
        say(f"spread  {on_database(command_line('compare', f'{name}-*'), url)}")


def _say_what_is_missing(seeds: range, failed: int, has_run: bool) -> None:
    """Names the seeds without a run after the search with the seed `failed` has ended in an error.

    Nothing is said if no search has begun, since the error concerns all of them, nor if all have.
    """
    missing = range(failed + has_run, seeds.stop)
    if missing and missing != seeds:
        again = f"--seed {missing.start} --seeds {len(missing)}"
        last = f"seeds {missing.start} to {missing[-1]}" if len(missing) > 1 else f"seed {missing.start}"
        say(f"not begun: {last}; the same search with {again} begins {'them' if len(missing) > 1 else 'it'}", err=True)


def _is_recorded(url: str, runs: Sequence[RunRecord], seed: int) -> bool:
    """Whether the last of the runs has this seed and is still there: one whose workers never started is removed."""
    if not runs or runs[-1].seed != seed:
        return False
    try:
        with open_store(url) as store:
            return any(row.name == runs[-1].name for row in store.runs())
    except DatabaseError:
        return True


def _check_names(url: str, names: list[str]) -> None:
    """Raises UserError if a run has one of the names already, before hours are spent on the others."""
    with open_store(url, create=True) as store:
        taken = {row.name for row in store.runs()} & set(names)
    if taken:
        raise UserError(
            f"expected names that are free, {', '.join(sorted(taken))} exists already; choose another --name"
        )
