"""`germline describe`: the facts of genomes."""

from typing import Any

import click

from germline.cli.common import console, db_option, json_option, print_json
from germline.cli.errors import UserError, printable
from germline.cli.reference import HELP


@click.command(epilog=HELP)
@click.argument("references", nargs=-1, required=True, metavar="REF...")
@click.option("--channels", type=click.IntRange(1, 10_000), help="Of an architecture's first cell; 36 unless known.")
@click.option("--cells", type=click.IntRange(1, 1_000), help="Cells of its network; 20 unless known.")
@click.option("--classes", type=click.IntRange(1, 1_000_000), help="What it tells apart; 10 unless known.")
@click.option("--image", metavar="C,H,W", help="Channels, height and width of its images; 3,32,32 unless known.")
@db_option
@json_option
def command(
    references: tuple[str, ...],
    channels: int | None,
    cells: int | None,
    classes: int | None,
    image: str | None,
    url: str,
    as_json: bool,
) -> None:
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

    given = {"channels": channels, "cells": cells, "classes": classes, "image": _image(image)}
    asked = {name: value for name, value in given.items() if value is not None}
    rows: list[dict[str, Any]] = []
    for reference in references:
        candidate = resolve(reference, url)
        rows.append({"ref": candidate.label, **describe(candidate, **asked)})
    if as_json:
        print_json(rows)
    else:
        _print(rows)


def _image(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() and 0 < int(part) < 100_000 for part in parts):
        raise UserError(printable(f"expected --image as channels,height,width such as 3,32,32, got {text!r:.60}"))
    return tuple(map(int, parts))


def _print(rows: list[dict[str, Any]]) -> None:
    from germline.cli.genome_text import summary
    from germline.cli.render import QUIET, plain_table, print_table, safe

    table = plain_table("genome", "kind", "size", "fingerprint")
    for row in rows:
        table.add_row(safe(row["ref"], "bold"), safe(row["kind"]), safe(summary(row)), safe(row["fingerprint"], QUIET))
    print_table(console(), table)
