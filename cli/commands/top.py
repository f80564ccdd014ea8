"""`germline top`: the best of a run."""

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from germline.cli.database import open_store
from germline.cli.options import db_option, json_option
from germline.cli.output import console, print_json

if TYPE_CHECKING:
    from germline.db.records import EvaluationRecord, RunRecord, ScoredIndividual


@click.command()
@click.argument("run")
@click.option("-n", "count", type=click.IntRange(1, 10**9), default=10, show_default=True, help="How many.")
@db_option
@json_option
def command(run: str, count: int, url: str, as_json: bool) -> None:
    """List the best individuals of RUN, best first.

    Each fingerprint appears once, by the birth it was scored for. Of a run with several objectives the front comes
    first: what no other individual beats in one of them without being worse in another. The fitness is that of
    the search's own scoring; the winner, which reviews or several objectives may decide, is named below the list.

    \b
    Example:
      germline top optimizer-1 -n 5
    """
    from germline.cli.json_rows import individual_row
    from germline.db.errors import NothingScored
    from germline.search.winner import winner as winner_of

    winner: ScoredIndividual | None = None
    reviews: list[EvaluationRecord] = []
    with open_store(url) as store:
        record = store.run(run)
        with suppress(NothingScored):
            winner = winner_of(store, run)
            reviews = store.reviews(record.id, winner.individual.fingerprint) if record.kind == "policy" else []
        names = record.config.get("settings", {}).get("objectives", [])
        found = store.top(run, count if len(names) < 2 else None)
    front = 0
    if len(names) > 1:
        found, front = _front_first(found, names, count)
    if as_json:
        print_json([individual_row(one) for one in found])
    elif found:
        _print_table(found, record, front)
        if winner is not None and (reviews or winner != found[0]):
            _print_winner(winner, reviews)
    else:
        click.echo(f"{run} has no ok outcome yet", err=True)


def _print_table(found: "list[ScoredIndividual]", run: "RunRecord", front: int) -> None:
    from germline.cli.candidate import Candidate
    from germline.cli.formatting import QUIET, number, plain_table, print_table, safe
    from germline.cli.genome_facts import genome_facts
    from germline.cli.presenters.table import presenter_of

    presenter = presenter_of(run.kind)
    sized, said = presenter.size_header, presenter.one_line_header
    objectives = _others(found)
    numbers = ("birth", "fitness", *objectives, "parents", sized)
    headers = ("birth", "fitness", *objectives, "operator", "parents", sized, said)
    table = plain_table(*headers, right=numbers)
    table.columns[-1].no_wrap, table.columns[-1].overflow = True, "ellipsis"
    for place, one in enumerate(found):
        individual = one.individual
        facts = genome_facts(Candidate(f"{one.run}:{individual.birth}", run.kind, individual.genome, run))
        table.add_row(
            safe(individual.birth, "bold" if place < front or not front else ""),
            number(one.evaluation.fitness if one.evaluation else None),
            *(safe(f"{one.evaluation.objectives[name]:,.6g}" if one.evaluation else "") for name in objectives),
            safe(individual.operator),
            safe(" ".join(map(str, individual.parents)) or "-"),
            safe(presenter.size(facts), QUIET),
            safe(presenter.one_line(individual.genome)),
        )
    print_table(console(), table)
    if front:
        console().print(safe(f"the first {min(front, len(found))} of {front} on the front", QUIET))


def _print_winner(winner: "ScoredIndividual", reviews: "list[EvaluationRecord]") -> None:
    """The winner; the first of the list may only have been lucky."""
    from germline.cli.formatting import QUIET, safe
    from germline.cli.policy_scores import decisive_score, mean_return_text, source

    found = decisive_score(reviews)
    score = f", {source(found)} {mean_return_text(found)}" if found else ""
    console().print(safe(f"winner: {winner.run}:{winner.individual.birth}{score}", QUIET))


def _front_first(found: "list[ScoredIndividual]", names: list[str], count: int) -> "tuple[list[ScoredIndividual], int]":
    """The front by its first objective, then the others by fitness; and how many are on the front."""
    from germline.search.picking import front

    scored = [one for one in found if one.evaluation]
    first = front([one.evaluation.objectives for one in scored if one.evaluation], names)
    rest = [one for place, one in enumerate(scored) if place not in set(first)]
    return [*(scored[place] for place in first), *rest][:count], len(first)


def _others(found: "list[ScoredIndividual]") -> list[str]:
    """The objectives beside the one that makes the fitness, but for what a genome's size says already."""
    every = list(found[0].evaluation.objectives) if found[0].evaluation else []
    return [name for name in every[1:] if name != "params"]
