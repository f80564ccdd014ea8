"""`germline lineage`: the biography of a find."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from germline.cli.changes import Change, change_text, changes
from germline.cli.common import console, db_option, json_option, open_store, print_json
from germline.cli.reference import WINNER, BadReference, Candidate

if TYPE_CHECKING:
    from rich.text import Text

    from germline.db.records import ScoredIndividual


@click.command(epilog=f"REF is RUN ({WINNER}) or RUN:BIRTH.")
@click.argument("reference", metavar="REF")
@click.option("--all", "every", is_flag=True, help="Show neutral steps too, those that leave the fingerprint as it is.")
@db_option
@json_option
def command(reference: str, every: bool, url: str, as_json: bool) -> None:
    """Tell how REF came about, mutation by mutation.

    Each step from the seed on with what it changed and the fitness it brought.

    \b
    Example:
      germline lineage optimizer-1
    """
    from germline.cli.individuals import individual_row
    from germline.cli.reference import resolve

    candidate = resolve(reference, url)
    if candidate.run is None or candidate.scored is None:
        raise BadReference(f"expected RUN or RUN:BIRTH, got {reference!r:.80}, which was born in no run")
    with open_store(url) as store:
        ancestry = store.lineage(candidate.run.name, candidate.scored.individual.birth)
    steps = list(biography(ancestry))
    if as_json:
        print_json(
            [
                {**individual_row(one.scored), "gain": one.gain, "change": [change.row() for change in one.changes]}
                for one in steps
            ]
        )
    else:
        _print(candidate, steps, every)


class Step(NamedTuple):
    """An individual of a lineage: what it changed of its first parent, and the fitness it gained over it."""

    scored: "ScoredIndividual"
    gain: float | None
    changes: Sequence[Change]
    neutral: bool


def biography(ancestry: "Sequence[ScoredIndividual]") -> Iterator[Step]:
    """Every individual of a lineage, oldest first, beside its first parent; one without parents gains nothing.

    Raises:
        BadReference: a genome in the database is not valid.
    """
    known = {one.individual.birth: one for one in ancestry}
    for one in ancestry:
        parents = [known[birth] for birth in one.individual.parents if birth in known]
        if not parents:
            yield Step(one, None, (), neutral=False)
            continue
        before, after = _fitness(parents[0]), _fitness(one)
        gained = None if before is None or after is None else after - before
        try:
            changed = changes(parents[0].individual.genome, one.individual.genome)
        except ValueError as error:
            raise BadReference(
                f"{one.run}:{one.individual.birth} or its parent is not a valid genome: {error}"
            ) from None
        neutral = one.individual.fingerprint == parents[0].individual.fingerprint
        yield Step(one, gained, changed, neutral)


def _fitness(scored: "ScoredIndividual") -> float | None:
    return scored.evaluation.fitness if scored.evaluation else None


def _print(candidate: Candidate, steps: Sequence[Step], every: bool) -> None:
    from rich.text import Text

    from germline.cli.genome_text import DEAD, kind_of
    from germline.cli.render import QUIET, gain, number, plain_table, print_table, safe

    out = console()
    seed, last = steps[0].scored, steps[-1].scored
    mutations = f"{len(steps) - 1} mutations" if len(steps) != 2 else "1 mutation"
    rise = f"fitness {number(_fitness(seed))} → {number(_fitness(last))}"
    begun = "first weights" if kind_of(candidate.genome) == "policy" else "seed"
    out.print(Text.assemble(safe(candidate.label, "bold"), safe(f"  {mutations} from the {begun}, {rise}", QUIET)))
    out.print()
    numbers = ("birth", "fitness", "gain")
    table = plain_table("birth", "operator", "fitness", "gain", "change", right=numbers)
    neutral = 0
    for step in [*steps, None]:
        # The individual that was asked for is always shown.
        if step is not None and step.neutral and not every and step is not steps[-1]:
            neutral += 1
            continue
        if neutral:
            plural = "s" if neutral > 1 else ""
            table.add_row("", "", "", "", Text(f"  … {neutral} neutral step{plural}", QUIET))
            neutral = 0
        if step is not None:
            one = step.scored.individual
            table.add_row(
                safe(one.birth, "bold"),
                safe(one.operator),
                number(_fitness(step.scored)),
                gain(step.gain),
                _told(step),
            )
    print_table(out, table)
    out.print()
    if any(not change.live for step in steps for change in step.changes):
        out.print(safe(f"{DEAD} marks changes of dead statements, on which no update depends", QUIET))
    if _lucky(candidate):
        out.print(safe("each played episodes of its own, so gains hold luck; germline show tells the reviews", QUIET))
    out.print(safe("next  ", QUIET), safe(f"germline show {candidate.label}"), sep="")


def _lucky(candidate: Candidate) -> bool:
    """Whether each individual was scored on episodes of its own."""
    from germline.cli.individuals import settings

    return candidate.kind == "policy" and settings(candidate).get("starts") == "own"


def _told(step: Step) -> "Text":
    from rich.text import Text

    from germline.cli.genome_text import DEAD, genome_lines, highlight, kind_of
    from germline.cli.render import QUIET

    if not step.scored.individual.parents:
        genome = step.scored.individual.genome
        lines = genome_lines(genome)
        if kind_of(genome) == "policy":
            return Text.assemble("  ", highlight(f"{lines[1].text}, {lines[0].text}"))
        count = sum(line.statement is not None for line in lines)
        unit = "nodes" if kind_of(genome) == "architecture" else "statements"
        return Text.assemble("  ", highlight(lines[0].text), (f"  {count} {unit}", QUIET))
    told = [Text.assemble(("  " if change.live else f"{DEAD} ", QUIET), change_text(change)) for change in step.changes]
    return Text("\n").join(told) if told else Text("  nothing: no valid child was found", QUIET)
