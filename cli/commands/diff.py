"""`germline diff`: the difference between two genomes."""

from typing import Any

import click
from rich.console import Console
from rich.text import Text

from germline.cli.candidate import Candidate
from germline.cli.errors import BadReference
from germline.cli.formatting import QUIET, gain, number, plain_table, print_table, safe
from germline.cli.genome_diff import align, change, change_text, changes, same, shortened
from germline.cli.genome_facts import genome_facts
from germline.cli.genome_view import DEAD, gutter, highlight
from germline.cli.json_rows import candidate_row
from germline.cli.options import db_option, json_option
from germline.cli.output import console, print_json
from germline.cli.presenters.registry import presenter_of
from germline.cli.reference import HELP, resolve

SHOWN = ("statements", "live", "states", "constants", "params", "macs", "parameters", "mutations", "genome_bytes")
"""Facts that are compared, where both genomes have them."""


@click.command(epilog=HELP)
@click.argument("first", metavar="REF")
@click.argument("second", metavar="REF")
@db_option
@json_option
def command(first: str, second: str, url: str, as_json: bool) -> None:
    """Show the lines in which the second REF differs from the first.

    \b
    Examples:
      germline diff optimizer-1:0 optimizer-1
      germline diff library:adamw library:lion
    """
    pair = [resolve(first, url), resolve(second, url)]
    if pair[0].kind != pair[1].kind:
        kinds = " and ".join(f"{candidate.label} is of kind {candidate.kind}" for candidate in pair)
        raise BadReference(f"expected two genomes of one kind; {kinds}")
    facts = [genome_facts(candidate) for candidate in pair]
    if as_json:
        rows = [_row(candidate, fact) for candidate, fact in zip(pair, facts, strict=True)]
        print_json(
            {
                "first": rows[0],
                "second": rows[1],
                "same_fingerprint": rows[0]["fingerprint"] == rows[1]["fingerprint"],
                "changes": [change.row() for change in changes(pair[0].genome, pair[1].genome)],
            }
        )
    else:
        _print(pair, facts)


def _row(candidate: Candidate, facts: dict[str, Any]) -> dict[str, Any]:
    return {"ref": candidate.label, **facts, **candidate_row(candidate, facts)}


def _print(pair: list[Candidate], facts: list[dict[str, Any]]) -> None:
    out = console()
    _print_facts(out, pair, facts)
    out.print()
    dead = False
    for before, after in shortened(align(pair[0].genome, pair[1].genome), presenter_of(pair[0].kind)):
        line = after or before
        assert line is not None
        dead = dead or not line.live
        margin = gutter(after.statement if after is not None else None, line.live)
        if same(before, after):
            body = Text.assemble("  ", highlight(line.text, line.live))
        else:
            body = change_text(change(before, after))
        out.print(Text.assemble((margin, QUIET), body))
    out.print()
    if dead:
        out.print(safe(f"{DEAD} marks statements on which no update depends", QUIET))
    equal = facts[0]["fingerprint"] == facts[1]["fingerprint"]
    out.print(safe("the same fingerprint: both compute the same" if equal else "different fingerprints"))


def _print_facts(out: Console, pair: list[Candidate], facts: list[dict[str, Any]]) -> None:
    fitness = [candidate.fitness for candidate in pair]
    table = plain_table("", "first", "second", "", right=("first", "second"))
    table.columns[1].header, table.columns[2].header = (safe(candidate.label) for candidate in pair)
    # Fitness is comparable only if both were scored on the same data from the same initial weights.
    runs = [(run.task, run.seed, run.config) if (run := candidate.run) else None for candidate in pair]
    comparable = runs[0] == runs[1] and None not in fitness
    difference = fitness[1] - fitness[0] if comparable else None  # type: ignore[operator]
    note = gain(difference) if comparable else safe("" if None in fitness else "of different runs", "dim")
    table.add_row("fitness", *(number(value) for value in fitness), note)
    for name in [key for key in SHOWN if all(key in fact for fact in facts)]:
        table.add_row(name, *(str(fact[name]) for fact in facts), "")
    table.add_row("fingerprint", *(safe(fact["fingerprint"]) for fact in facts), "")
    print_table(out, table)
