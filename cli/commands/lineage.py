"""`germline lineage`: shows the ancestry of an individual."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import click
from rich.text import Text

from germline.cli.candidate import Candidate
from germline.cli.database import on_database, open_store
from germline.cli.errors import BadReference
from germline.cli.formatting import QUIET, counted, gain, number, plain_table, print_table, safe
from germline.cli.genome_diff import Change, change_text, changes
from germline.cli.genome_view import DEAD
from germline.cli.json_rows import individual_row
from germline.cli.lineage_steps import Listed, Step, fitness_of, listed, steps_of
from germline.cli.options import db_option, json_option
from germline.cli.output import console, print_json
from germline.cli.presenters.registry import presenter_of_text
from germline.cli.printing import command_line
from germline.cli.reference import WINNER, resolve
from germline.cli.simplification.kept import SUFFIX
from germline.db.records import ScoredIndividual, SimplifiedRecord
from germline.search.kinds.policy import PolicySettings


@click.command(epilog=f"REF is RUN ({WINNER}) or RUN:BIRTH.")
@click.argument("reference", metavar="REF")
@click.option(
    "-n",
    "count",
    type=click.IntRange(2, 10**9),
    default=100,
    show_default=True,
    help="The most steps to list. If there are more, those that moved fitness most are listed.",
)
@click.option(
    "--all", "every", is_flag=True, help="List every step, also neutral ones: they leave the fingerprint unchanged."
)
@db_option
@json_option
def command(reference: str, count: int, every: bool, url: str, as_json: bool) -> None:
    """Show the ancestry of REF, mutation by mutation.

    Lists the steps, beginning with the start genome or a random genome, with the changed lines and the gain in fitness.
    --json has every step.

    \b
    Example:
      germline lineage optimizer-1
    """
    candidate = resolve(reference, url)
    if candidate.run is None or candidate.birth is None:
        raise BadReference(f"expected RUN or RUN:BIRTH, got {reference!r:.80}, which belongs to no run")
    with open_store(url) as store:
        ancestry = store.lineage(candidate.run.name, candidate.birth)
        kept = store.simplified(candidate.run.name, candidate.birth)
    steps = list(steps_of(ancestry))
    last = None if kept is None else _simplification(steps[-1].scored, kept)
    if as_json:
        rows = [
            {**individual_row(step.scored), "gain": step.gain, "change": [change.row() for change in step.changes()]}
            for step in steps
        ]
        print_json([*rows, *([last.row(candidate.run.name)] if last else [])])
    else:
        listing = [Listed(step, ()) for step in steps] if every else listed(steps, count)
        _print(candidate, listing, last, url)


class Simplification(NamedTuple):
    """What the individual at the end of a lineage became by simplification, and the lines that differ."""

    record: SimplifiedRecord
    changes: Sequence[Change]

    def row(self, run: str) -> dict[str, Any]:
        """The row for `--json`: that of an individual, without a birth and without scores."""
        return {
            "run": run,
            "birth": None,
            "parents": [self.record.birth],
            "operator": "simplify",
            "status": None,
            "fitness": None,
            "objectives": {},
            "fingerprint": self.record.fingerprint,
            "genome": self.record.genome,
            "gain": None,
            "change": [change.row() for change in self.changes],
        }


def _simplification(scored: ScoredIndividual, record: SimplifiedRecord) -> Simplification:
    """The last step of a lineage.

    Raises:
        BadReference: the simplified program in the database is not valid.
    """
    try:
        return Simplification(record, list(changes(scored.individual.genome, record.genome)))
    except ValueError as error:
        raise BadReference(f"{scored.run}:{record.birth}{SUFFIX} is not a valid genome: {error}") from None


def _print(candidate: Candidate, rows: Sequence[Listed], last_step: Simplification | None, url: str) -> None:
    out = console()
    first, last = rows[0].step.scored, rows[-1].step.scored
    origin = presenter_of_text(candidate.genome).origin_name
    mutations = counted(sum(1 + len(row.omitted) for row in rows) - 1, "mutation")
    rise = f"fitness {number(fitness_of(first))} → {number(fitness_of(last))}"
    out.print(Text.assemble(safe(candidate.label, "bold"), safe(f"  {mutations} from the {origin}, {rise}", QUIET)))
    out.print()
    numbers = ("birth", "fitness", "gain")
    table = plain_table("birth", "operator", "fitness", "gain", "change", right=numbers)
    dead = False
    for step, omitted in rows:
        if omitted:
            table.add_row("", "", "", _total_gain(omitted), Text(f"  … {_count_text(omitted)}", QUIET))
        individual = step.scored.individual
        changes = step.changes()
        dead = dead or any(not change.live for change in changes)
        table.add_row(
            safe(individual.birth, "bold"),
            safe(individual.operator),
            number(fitness_of(step.scored)),
            gain(step.gain),
            _change_text(step, changes),
        )
    if last_step is not None:
        table.add_row("", safe("simplify"), "", "", _lines_text(last_step.changes))
    print_table(out, table)
    out.print()
    if dead:
        out.print(safe(f"{DEAD} marks changes of dead statements, on which no update depends", QUIET))
    if any(not step.neutral for row in rows for step in row.omitted):
        out.print(safe("… steps are left out that moved fitness less; --all lists every step", QUIET))
    settings = candidate.settings
    if isinstance(settings, PolicySettings) and settings.starts == "own":
        out.print(safe("each birth played its own episodes: gains include luck; germline show has the reviews", QUIET))
    out.print(safe("next  ", QUIET), safe(on_database(command_line("show", candidate.label), url)), sep="")


def _count_text(omitted: Sequence[Step]) -> str:
    """How many steps are left out: `37 steps`, or `3 neutral steps` if no other is among them."""
    return counted(len(omitted), "neutral step" if all(step.neutral for step in omitted) else "step")


def _total_gain(omitted: Sequence[Step]) -> Text:
    """The gain of steps that are left out, together; empty for neutral steps, or if an end has no fitness."""
    before, after = fitness_of(omitted[0].parent), fitness_of(omitted[-1].scored)
    if before is None or after is None or all(step.neutral for step in omitted):
        return safe("")
    return gain(after - before)


def _change_text(step: Step, changes: Sequence[Change]) -> Text:
    """The changed lines of a step; for the first step, its genome in one line."""
    individual = step.scored.individual
    if not individual.parents:
        return Text.assemble("  ", presenter_of_text(individual.genome).first_line(individual.genome))
    if not changes:
        return Text("  nothing: no valid child was found", QUIET)
    return _lines_text(changes)


def _lines_text(differences: Sequence[Change]) -> Text:
    """A line for each change."""
    return Text("\n").join(
        Text.assemble(("  " if change.live else f"{DEAD} ", QUIET), change_text(change)) for change in differences
    )
