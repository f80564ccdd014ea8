"""Why the page of a winner shows another individual than the one with the best fitness at the top of its pages."""

from germline.cli.formatting import number
from germline.cli.winner_reason import winner_reason
from germline.db.records import RunRecord, RunSummary, ScoredIndividual


def winner_note(run: RunRecord, summary: RunSummary, winner: ScoredIndividual, reviewed: bool) -> str:
    """A sentence about the winner; empty if it is the individual with the best fitness.

    Args:
        run: the run.
        summary: of the run.
        winner: of the run.
        reviewed: whether individuals were reviewed.
    """
    best, birth = summary.best_birth, winner.individual.birth
    if best is None or best == birth:
        return ""
    higher = f"Birth {best:,} has the best fitness in the search, {number(summary.best_fitness)}"
    if winner.individual.operator == "seed":
        where = "in the reviews" if reviewed else "in the complete blocks"
        return f"The winner is the start: {where} nothing better was found. {higher}, which may be luck."
    try:
        return f"{higher}; the winner is {winner_reason(run, reviewed)}."
    except (ValueError, LookupError, TypeError):  # settings that no search of this version has
        return f"{higher}; the winner is what the search handed over."
