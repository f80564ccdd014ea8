"""`germline describe`: the facts of genomes."""

from typing import Any

import click

from germline.cli.common import console, db_option, json_option, print_json
from germline.cli.reference import HELP


@click.command(epilog=HELP)
@click.argument("references", nargs=-1, required=True, metavar="REF...")
@db_option
@json_option
def command(references: tuple[str, ...], url: str, as_json: bool) -> None:
    """Count statements, states and constants of each REF.

    A genome is checked completely, and nothing of it is executed.

    \b
    Example:
      germline describe optimizer-1 library:lion my_program.py
    """
    from germline.cli.individuals import describe
    from germline.cli.reference import resolve

    rows: list[dict[str, Any]] = []
    for reference in references:
        candidate = resolve(reference, url)
        rows.append({"ref": candidate.label, **describe(candidate)})
    if as_json:
        print_json(rows)
    else:
        _print(rows)


def _print(rows: list[dict[str, Any]]) -> None:
    from germline.cli.render import QUIET, plain_table, print_table, safe

    numbers = ("statements", "live", "constants")
    table = plain_table("genome", "kind", *numbers, "states", "fingerprint", right=numbers)
    for row in rows:
        table.add_row(
            safe(row["ref"], "bold"),
            safe(row["kind"]),
            *(safe(row[name]) for name in numbers),
            safe(f"{len(row['live_states'])}/{row['states']} {' '.join(row['live_states'])}"),
            safe(row["fingerprint"], QUIET),
        )
    print_table(console(), table)
