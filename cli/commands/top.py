"""`germline top`: the best individuals of a run."""

from collections.abc import Sequence
from typing import NamedTuple

import click

from germline.cli.candidate import Candidate
from germline.cli.database import open_store
from germline.cli.errors import UserError
from germline.cli.formatting import QUIET, counted, number, plain_table, print_table, safe
from germline.cli.genome_facts import genome_facts
from germline.cli.hypervolume_text import reference_point_text
from germline.cli.json_rows import individual_row
from germline.cli.options import db_option, json_option
from germline.cli.output import console, print_json
from germline.cli.presenters.registry import presenter_of
from germline.cli.printing import say
from germline.cli.simplification.families import MOST, families_of, family_row, print_families
from germline.db.records import RunRecord, ScoredIndividual
from germline.db.store import Store
from germline.search.analysis.hypervolume import hypervolume, objectives_of, points_of, reference_point
from germline.search.analysis.map_plot import NoMap, map_plot
from germline.search.analysis.map_scores import layout_of
from germline.search.pareto import fronts
from germline.search.picking import front
from germline.search.strategies.program_front import front_names, program_points
from germline.search.winner import winner as winner_of


class Ranking(NamedTuple):
    """The first individuals of a run, best first.

    `front` is the size of the Pareto front of the whole run, 0 for a run with a single objective. `note` is a text
    about the front's hypervolume and its reference point.
    """

    individuals: Sequence[ScoredIndividual]
    front: int = 0
    note: str = ""


@click.command()
@click.argument("run")
@click.option(
    "-n", "count", type=click.IntRange(1, 10**9), default=10, show_default=True, help="Number of individuals to list."
)
@click.option(
    "--families",
    "by_family",
    is_flag=True,
    help="List the best of each family: optimizer programs whose simplified forms differ in constants alone.",
)
@db_option
@json_option
def command(run: str, count: int, by_family: bool, url: str, as_json: bool) -> None:
    """List the best individuals of RUN, best first.

    Each fingerprint appears once, with the birth that was scored. The fitness comes from the search's own scoring.
    If reviews or several objectives made another individual the winner, a line below the list names it; for policies
    it always stands there, with the winner's most reliable score. Neither --families nor --json has this line.

    For a run with several objectives the Pareto front comes first: the individuals that no other individual dominates.
    A line below has the hypervolume of the front: the share that it dominates of a box of objectives. The box reaches
    from 0 to 100 % for an error, and to the largest value in the run for every other objective.

    Of a run with a map (strategy map-elites) a line below says how many of its cells are occupied, and its QD score:
    the sum of the fitness in these cells, each less the lowest fitness of the run, or the setting qd_offset.

    With --families, programs whose simplified forms (germline simplify) differ in names and constants alone are one
    family. Each family is listed once, with its best member, how many programs it has and in how many forms; only the
    best 1,000 programs of the run are sorted into families.

    \b
    Examples:
      germline top optimizer-1 -n 5
      germline top optimizer-1 --families
    """
    with open_store(url) as store:
        record = store.run(run)
        if by_family:
            _print_families(record, store.top(run, MOST), count, as_json)
            return
        if front_names(record):
            ranking = _programs_first(record, store.top(run), count)
        elif objectives_of(record):
            ranking = _front_first(record, store.top(run), count)
        else:
            ranking = Ranking(store.top(run, count))
        winner_text = None if as_json or not ranking.individuals else _winner_text(store, record, ranking)
        map_text = None if as_json else _map_text(store, record)
    if as_json:
        print_json([individual_row(scored) for scored in ranking.individuals])
    elif ranking.individuals:
        _print(record, ranking)
        for text in filter(None, (winner_text, map_text)):
            console().print(safe(text, QUIET))
    else:
        say(f"{run} has no ok outcome yet", err=True)


def _print_families(run: RunRecord, individuals: Sequence[ScoredIndividual], count: int, as_json: bool) -> None:
    """Prints the families of the best programs of a run.

    Raises:
        UserError: the run is not of optimizer programs.
    """
    if run.kind != "optimizer":
        raise UserError(f"expected a run of optimizer programs for --families, got {run.name}, of kind {run.kind}")
    families = families_of(individuals)
    if as_json:
        print_json([family_row(family) for family in families[:count]])
    elif families:
        print_families(console(), families[:count], len(individuals), len(families))
    else:
        say(f"{run.name} has no ok outcome yet", err=True)


def _winner_text(store: Store, run: RunRecord, ranking: Ranking) -> str | None:
    """The winner and its `score_text`; None if the winner is first in the list and its kind has no such text.

    The winner may be another individual, because the first in the list may only have been lucky.
    """
    winner = winner_of(store, run.name)
    score = presenter_of(run.kind).score_text(store.reviews(run.id, winner.individual.fingerprint))
    if score is None and winner == ranking.individuals[0]:
        return None
    return f"winner: {run.name}:{winner.individual.birth}" + (f", {score}" if score else "")


def _map_text(store: Store, run: RunRecord) -> str | None:
    """The coverage and the QD score of the map of a run; None if it has no map, or nothing in it yet."""
    if layout_of(run) is None:
        return None
    try:
        plot = map_plot(store, run)
    except NoMap:
        return None
    occupied = f"{len(plot.occupants):,} of {counted(plot.layout.cells.count, 'cell')} occupied"
    return f"map: {occupied}, QD score {number(plot.score)}, with an offset of {number(plot.offset)}"


def _front_first(run: RunRecord, individuals: Sequence[ScoredIndividual], count: int) -> Ranking:
    """The Pareto front sorted by its first objective, then the other individuals by fitness, `count` in all.

    All individuals must have an ok outcome.
    """
    if not individuals:
        return Ranking([])
    objectives = [individual.evaluation.objectives for individual in individuals if individual.evaluation]
    on_front = front(objectives, objectives_of(run))
    places = set(on_front)
    first = [individuals[i] for i in on_front]
    others = [individual for i, individual in enumerate(individuals) if i not in places]
    points = points_of(run, individuals)
    reference = reference_point([points])
    volume = number(hypervolume(points.values, reference))
    note = f"hypervolume of the front {volume}, {reference_point_text(reference)}"
    return Ranking([*first, *others][:count], len(on_front), note)


def _programs_first(run: RunRecord, individuals: Sequence[ScoredIndividual], count: int) -> Ranking:
    """As `_front_first` for optimizer programs, whose fronts have no hypervolume: losses have no largest value."""
    scored = [(each.individual.genome, each.evaluation) for each in individuals if each.evaluation]
    if not scored:
        return Ranking([])
    ranks = fronts(program_points(scored, front_names(run)))
    first = [each for each, rank in zip(individuals, ranks, strict=True) if rank == 0]
    others = [each for each, rank in zip(individuals, ranks, strict=True) if rank > 0]
    return Ranking([*first, *others][:count], len(first))


def _print(run: RunRecord, ranking: Ranking) -> None:
    presenter = presenter_of(run.kind)
    objectives = _other_objectives(ranking.individuals)
    numbers = ("birth", "fitness", *objectives, "parents", presenter.size_header)
    headers = ("birth", "fitness", *objectives, "operator", "parents", presenter.size_header, presenter.one_line_header)
    table = plain_table(*headers, right=numbers)
    table.columns[-1].no_wrap, table.columns[-1].overflow = True, "ellipsis"
    for place, scored in enumerate(ranking.individuals):
        individual, outcome = scored.individual, scored.evaluation
        facts = genome_facts(Candidate(f"{scored.run}:{individual.birth}", run.kind, individual.genome, run))
        table.add_row(
            safe(individual.birth, "bold" if place < ranking.front or not ranking.front else ""),
            number(outcome.fitness if outcome else None),
            *(safe(f"{outcome.objectives[name]:,.6g}" if outcome else "") for name in objectives),
            safe(individual.operator),
            safe(" ".join(map(str, individual.parents)) or "-"),
            safe(presenter.size(facts), QUIET),
            safe(presenter.one_line(individual.genome)),
        )
    print_table(console(), table)
    if ranking.front:
        shown = min(ranking.front, len(ranking.individuals))
        console().print(safe(f"the first {shown} of {ranking.front} on the front", QUIET))
        if ranking.note:
            console().print(safe(ranking.note, QUIET))


def _other_objectives(individuals: Sequence[ScoredIndividual]) -> list[str]:
    """The objectives that have a column of their own.

    Left out are the first, which the column of the fitness shows, and `params`, which the column of the size shows.
    """
    names = list(individuals[0].evaluation.objectives) if individuals[0].evaluation else []
    return [name for name in names[1:] if name != "params"]
