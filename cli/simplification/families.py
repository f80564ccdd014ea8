"""Families of a run's optimizer programs: those whose simplified forms differ in names and constants alone."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.console import Console

from germline.cli.errors import BadReference
from germline.cli.formatting import QUIET, number, plain_table, print_table, safe
from germline.cli.json_rows import individual_row
from germline.cli.presenters.registry import presenter_of
from germline.db.records import ScoredIndividual

MOST = 1_000
"""Programs of a run that are sorted into families, the best first: each takes some hundredths of a second."""


class Family(NamedTuple):
    """A family among the best programs of a run.

    Attributes:
        key: a digest of the form that its members share.
        best: the member with the highest fitness.
        programs: how many members it has.
        forms: how many of them differ in a constant of their simplified form.
    """

    key: str
    best: ScoredIndividual
    programs: int
    forms: int


def families_of(individuals: Sequence[ScoredIndividual]) -> list[Family]:
    """The families of optimizer programs, in the order of their best members.

    Raises:
        BadReference: a genome in the database is not valid.
    """
    # Imports the rules of simplification, which `germline top` does without.
    from germline.programs.optimizer import InvalidProgram, parse
    from germline.programs.optimizer.simplify.families import kinship

    members: dict[str, list[ScoredIndividual]] = {}
    forms: dict[str, set[str]] = {}
    for scored in individuals:
        try:
            form, family = kinship(parse(scored.individual.genome))
        except InvalidProgram as error:
            raise BadReference(f"{scored.run}:{scored.individual.birth} is not a valid genome: {error}") from None
        members.setdefault(family, []).append(scored)
        forms.setdefault(family, set()).add(form)
    return [Family(key, each[0], len(each), len(forms[key])) for key, each in members.items()]


def family_row(family: Family) -> dict[str, Any]:
    """A family for `--json`: the row of its best member, and its size."""
    row = individual_row(family.best)
    return {**row, "family": family.key, "programs": family.programs, "forms": family.forms}


def print_families(out: Console, families: Sequence[Family], programs: int, total: int) -> None:
    """Prints the best member of each family, and of how many programs the families are."""
    presenter = presenter_of("optimizer")
    numbers = ("birth", "fitness", "programs", "forms")
    table = plain_table(*numbers, "operator", presenter.one_line_header, right=numbers)
    table.columns[-1].no_wrap, table.columns[-1].overflow = True, "ellipsis"
    for family in families:
        individual, outcome = family.best.individual, family.best.evaluation
        table.add_row(
            safe(individual.birth, "bold"),
            number(outcome.fitness if outcome else None),
            safe(family.programs),
            safe(family.forms),
            safe(individual.operator),
            safe(presenter.one_line(individual.genome)),
        )
    print_table(out, table)
    noun = "family" if total == 1 else "families"
    out.print(safe(f"{total} {noun} of the best {programs} programs; members differ in names and constants", QUIET))
