"""`germline leaderboard`: optimizers among the tuned baselines of all tasks."""

from pathlib import Path

import click

from germline.cli.errors import UserError
from germline.cli.formatting import QUIET, safe
from germline.cli.options import data_option, db_option, device_option, json_option, worker_options
from germline.cli.output import check_output, console, print_json, stdout_apart
from germline.cli.printing import say
from germline.cli.session_options import SessionOptions
from germline.programs.export.files import write_whole

HELP = (
    "REF is RUN (its winner), RUN:best, RUN:BIRTH, library:NAME, a file with a program, - for a program on stdin, "
    "torch:NAME, or a class of your own as FILE.py:Class."
)


@click.command(epilog=HELP)
@click.argument("references", nargs=-1, metavar="[REF]...")
@click.option("--task", "tasks", multiple=True, metavar="TASK", help="Only on this task; repeatable.")
@click.option("--held-out", is_flag=True, help="Only on tasks that are held out as a whole.")
@click.option(
    "--untuned",
    is_flag=True,
    help="Train each REF with its own constants, the same on every task, beside tuned baselines.",
)
@click.option(
    "--table",
    "table_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    metavar="FILE.jsonl",
    help="Another table of baselines than that of the package, such as one for your own tasks.",
)
@click.option("--remake", is_flag=True, help="Measure rows that the table lacks or that are out of date.")
@click.option("--trials", type=click.IntRange(1, 4_096), help="With --remake of a new table: trials of a tuning.")
@click.option(
    "--length",
    type=click.FloatRange(0.0, 1_000.0, min_open=True),
    help="With --remake of a new table: length of a training, as a multiple of the steps of rung 0.",
)
@click.option("--seeds", type=click.IntRange(2, 40), help="With --remake of a new table: final seeds.")
@worker_options("trainings run")
@click.option(
    "-o",
    "--output",
    "output_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="A file for the tables as Markdown, .md.",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@device_option("Device that trains models.")
@data_option(expose=False)
@db_option
@json_option
def command(
    references: tuple[str, ...],
    tasks: tuple[str, ...],
    held_out: bool,
    untuned: bool,
    table_path: Path | None,
    remake: bool,
    trials: int | None,
    length: float | None,
    seeds: int | None,
    workers: int | None,
    executor: str,
    ray_address: str | None,
    output_path: Path | None,
    force: bool,
    device: str,
    url: str,
    as_json: bool,
) -> None:
    """Show how tuned AdamW, NAdamW, SGD with momentum, Lion and Muon do on every task, and place each REF among them.

    The baselines ship with the package as a table. A REF is measured by the same protocol: tuned with the same trials,
    then trained with the same fresh seeds and measured on held-out data. Over several tasks, optimizers are ordered by
    the geometric mean of their speed-ups: how many times fewer steps each needs to reach the loss of tuned AdamW.
    Verdicts are those of `germline validate --against`. Trainings are recorded and not done again, so an interrupted
    command goes on where it was.

    \b
    Examples:
      germline leaderboard
      germline leaderboard optimizer-1 --held-out -o board.md
      germline leaderboard torch:RAdam --task digits-mlp
      germline leaderboard optimizer-1 --held-out --untuned
      germline leaderboard --remake --table own.jsonl --task my_task.py:Line
    """
    given = {"trials": trials, "length": length, "seeds": seeds}
    protocol = {name: value for name, value in given.items() if value is not None}
    if protocol and not remake:
        raise UserError(f"expected --remake with --{next(iter(protocol))}; a REF is measured by the table's protocol")
    if untuned and not references:
        raise UserError("expected a REF with --untuned")
    if remake and references:
        raise UserError("expected --remake without a REF; make the table first, then place REF")
    if output_path is not None:
        check_output(output_path, ".md", force)
    # Imports torch, which takes seconds; `germline leaderboard --help` answers without.
    from germline.cli.leaderboard.course import BoardRequest, leaderboard
    from germline.cli.leaderboard.data import board_as_data
    from germline.cli.leaderboard.report import board_lines, board_tables
    from germline.cli.tuned_comparison.output import print_tables, tables_as_markdown

    session = SessionOptions(None, workers, executor, device, ray_address)
    request = BoardRequest(references, tasks, held_out, not untuned, table_path, remake, protocol, session, url)
    with stdout_apart():
        board, kept = leaderboard(request)
    tables, lines = board_tables(board), board_lines(board)
    if output_path is not None:
        page = tables_as_markdown("Leaderboard of optimizers", request.command, tables)
        write_whole(output_path, "\n\n".join((page.rstrip("\n"), *lines)) + "\n")
    if as_json:
        print_json(board_as_data(board))
        return
    print_tables(console(), tables)
    for line in lines:
        console().print(safe(line, QUIET))
    if output_path is not None:
        say(f"wrote {output_path}")
    if kept:
        say(f"recorded the verdict on {', '.join(kept)}")
