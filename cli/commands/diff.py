"""`germline diff`: two genomes against each other."""

from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from germline.cli.changes import Pair, align, change, change_text, changes, same
from germline.cli.common import console, db_option, json_option, print_json
from germline.cli.reference import HELP, BadReference, Candidate

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = ("statements", "live", "states", "constants", "params", "macs", "parameters", "mutations", "genome_bytes")


@click.command(epilog=HELP)
@click.argument("first", metavar="REF")
@click.argument("second", metavar="REF")
@db_option
@json_option
def command(first: str, second: str, url: str, as_json: bool) -> None:
    """Show what the second REF does differently from the first.

    \b
    Examples:
      germline diff optimizer-1:0 optimizer-1
      germline diff library:adamw library:lion
    """
    from germline.cli.individuals import candidate_row, describe
    from germline.cli.reference import resolve

    pair = [resolve(first, url), resolve(second, url)]
    if pair[0].kind != pair[1].kind:
        kinds = " and ".join(f"{one.label} is of kind {one.kind}" for one in pair)
        raise BadReference(f"expected two genomes of one kind; {kinds}")
    facts = [describe(one) for one in pair]
    if as_json:
        rows = [{"ref": one.label, **fact, **candidate_row(one, fact)} for one, fact in zip(pair, facts, strict=True)]
        print_json(
            {
                "first": rows[0],
                "second": rows[1],
                "same_fingerprint": rows[0]["fingerprint"] == rows[1]["fingerprint"],
                "changes": [one.row() for one in changes(pair[0].genome, pair[1].genome)],
            }
        )
    else:
        _print(pair, facts)


def _print(pair: list[Candidate], facts: list[dict[str, Any]]) -> None:
    from rich.text import Text

    from germline.cli.genome_text import DEAD, highlight
    from germline.cli.render import QUIET, safe

    out = console()
    _print_facts(out, pair, facts)
    out.print()
    dead = False
    aligned = align(pair[0].genome, pair[1].genome)
    for before, after in _folded(aligned) if pair[0].kind == "policy" else aligned:
        line = after or before
        assert line is not None
        dead = dead or not line.live
        where = after.statement if after is not None and after.statement is not None else ""
        gutter = f"{where:>4} {' ' if line.live else DEAD} "
        if same(before, after):
            body = Text.assemble("  ", highlight(line.text, line.live))
        else:
            body = change_text(change(before, after))
        out.print(Text.assemble((gutter, QUIET), body))
    out.print()
    if dead:
        out.print(safe(f"{DEAD} marks statements on which no update depends", QUIET))
    alike = facts[0]["fingerprint"] == facts[1]["fingerprint"]
    out.print(safe("the same fingerprint: both do the same" if alike else "different fingerprints"))


def _folded(pairs: list[Pair]) -> list[Pair]:
    """With what many lines in a row have in common, or one side alone has, in short: policies have long histories."""
    from germline.cli.policy_text import shortened

    folded: list[Pair] = []
    sides = groupby(pairs, key=lambda pair: (same(*pair), pair[0] is not None, pair[1] is not None))
    for (alike, before, after), group in sides:
        if before and after and not alike:
            folded += group
            continue
        lines = shortened([line for pair in group if (line := pair[1] or pair[0])])
        folded += [(line if before else None, line if after else None) for line in lines]
    return folded


def _print_facts(out: "Console", pair: list[Candidate], facts: list[dict[str, Any]]) -> None:
    from germline.cli.render import gain, number, plain_table, print_table, safe

    fitness = [one.scored.evaluation.fitness if one.scored and one.scored.evaluation else None for one in pair]
    table = plain_table("", *(name for name in ("first", "second")), "", right=("first", "second"))
    table.columns[1].header, table.columns[2].header = (safe(one.label) for one in pair)
    # Fitness compares only where both were scored on the same data from the same weights.
    homes = [(one.run.task, one.run.seed, one.run.config) if one.run else None for one in pair]
    comparable = homes[0] == homes[1] and None not in fitness
    difference = fitness[1] - fitness[0] if comparable else None  # type: ignore[operator]
    note = gain(difference) if comparable else safe("" if None in fitness else "of different runs", "dim")
    table.add_row("fitness", *(number(value) for value in fitness), note)
    for name in [key for key in SHOWN if all(key in fact for fact in facts)]:
        table.add_row(name, *(str(fact[name]) for fact in facts), "")
    table.add_row("fingerprint", *(safe(fact["fingerprint"]) for fact in facts), "")
    print_table(out, table)
