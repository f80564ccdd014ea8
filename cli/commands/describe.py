"""`germline describe`: the facts of genomes."""

from typing import Any

import click

from germline.cli.common import console, db_option, json_option, print_json, size_options
from germline.cli.reference import HELP


@click.command(epilog=HELP)
@click.argument("references", nargs=-1, required=True, metavar="REF...")
@size_options
@db_option
@json_option
def command(references: tuple[str, ...], asked: dict[str, Any], url: str, as_json: bool) -> None:
    """Count what each REF is made of.

    Of an optimizer statements, states and constants; of an architecture the parameters and multiply-accumulates of its
    network, whose size is that of its run unless the options say otherwise. A genome is checked completely, and nothing
    of it is executed.

    \b
    Examples:
      germline describe optimizer-1 library:lion my_program.py
      germline describe cell.json --channels 36 --cells 20 --classes 10
    """
    from germline.cli.individuals import describe
    from germline.cli.reference import resolve

    rows: list[dict[str, Any]] = []
    for reference in references:
        candidate = resolve(reference, url)
        rows.append({"ref": candidate.label, **describe(candidate, **asked)})
    if as_json:
        print_json(rows)
    else:
        _print(rows)


def _print(rows: list[dict[str, Any]]) -> None:
    from germline.cli.genome_text import summary
    from germline.cli.render import QUIET, plain_table, print_table, safe

    table = plain_table("genome", "kind", "size", "fingerprint")
    for row in rows:
        table.add_row(safe(row["ref"], "bold"), safe(row["kind"]), safe(summary(row)), safe(row["fingerprint"], QUIET))
    print_table(console(), table)
