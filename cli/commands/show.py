"""`germline show`: shows the genome, scores and origin of a candidate."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from germline.cli.candidate import Candidate, task_option
from germline.cli.database import on_database
from germline.cli.formatting import QUIET, safe
from germline.cli.genome_facts import genome_facts
from germline.cli.genome_view import DEAD, lines_view
from germline.cli.json_rows import candidate_row, evaluation_row
from germline.cli.options import db_option, json_option
from germline.cli.output import console, print_json
from germline.cli.presenters.registry import presenter_of, presenter_of_text
from germline.cli.printing import command_line
from germline.cli.proposals import proposal_line, proposal_rows, proposals_for
from germline.cli.reference import HELP, resolve
from germline.cli.simplification.kept import SUFFIX, kept_with, simplified_row
from germline.db.records import ProposalRecord, ScoredIndividual, SimplifiedRecord


@click.command(epilog=HELP)
@click.argument("reference", metavar="REF")
@db_option
@json_option
def command(reference: str, url: str, as_json: bool) -> None:
    """Show a candidate: genome, scores and origin.

    The fitness at each rung stands beside that of birth 0, the start program. Dead statements, on which no update
    depends, are dimmed and marked with a dot. A policy has its last review, whose mean return is biased upwards because
    reviews select, and its test, with the 95 % confidence interval of the mean return.

    \b
    Examples:
      germline show optimizer-1
      germline show optimizer-1:42
      germline show library:lion
    """
    candidate = resolve(reference, url)
    facts = genome_facts(candidate)
    start = resolve(f"{candidate.run.name}:0", url) if candidate.run else None
    kept = kept_with(candidate, url)
    proposals = proposals_for(candidate, url)
    if as_json:
        print_json({**_row(candidate, start, facts, kept), "proposals": proposal_rows(proposals)})
    else:
        _print(candidate, start, facts, kept, proposals, url)


def _row(
    candidate: Candidate, start: Candidate | None, facts: dict[str, Any], kept: SimplifiedRecord | None
) -> dict[str, Any]:
    evaluations = {"this": candidate} | ({"start": start} if start else {})
    return {
        **facts,
        **candidate_row(candidate, facts),
        "task": candidate.run.task if candidate.run else None,
        "evaluations": {
            name: [evaluation_row(evaluation) for evaluation in scored.evaluations]
            for name, scored in evaluations.items()
        },
        **presenter_of(candidate.kind).score_row(candidate.evaluations),
        "simplified": simplified_row(candidate.label + SUFFIX, kept) if kept else None,
    }


def _print(
    candidate: Candidate,
    start: Candidate | None,
    facts: dict[str, Any],
    kept: SimplifiedRecord | None,
    proposals: Sequence[ProposalRecord],
    url: str,
) -> None:
    out = console()
    presenter, genome = presenter_of_text(candidate.genome), candidate.genome
    out.print(Text.assemble(safe(candidate.label, "bold"), "  ", safe(_origin(candidate), QUIET)))
    out.print(safe(f"fingerprint {facts['fingerprint']}", QUIET))
    for record in proposals:
        out.print(safe(proposal_line(record), QUIET))
    out.print()
    out.print(lines_view(presenter.shorten(presenter.lines(genome))))
    out.print()
    dead = f"; {DEAD} marks dead statements" if facts.get("live", 0) < facts.get("statements", 0) else ""
    out.print(safe(presenter.summary(facts) + dead, QUIET))
    if candidate.scored and start:
        out.print()
        presenter.print_scores(out, candidate, start)
    if kept is not None:
        smaller = presenter.summary(genome_facts(replace(candidate, genome=kept.genome, scored=None)))
        out.print()
        how = on_database(command_line("show", candidate.label + SUFFIX), url)
        out.print(safe(f"simplified: {smaller}; {how}", QUIET))
    out.print()
    _print_next(out, candidate, url)


def _origin(candidate: Candidate) -> str:
    """The birth of an individual, or of the individual that was simplified, and its task; for a file or the library,
    the comments in the genome."""
    if candidate.simplified is not None and candidate.run is not None:
        how = f" by {candidate.simplified_by}" if candidate.simplified_by else ""
        return f"simplified from {candidate.run.name}:{candidate.simplified.birth}{how}, on {candidate.run.task}"
    if candidate.scored is None or candidate.run is None:
        notes = [line.removeprefix("#").strip() for line in candidate.genome.splitlines() if line.startswith("#")]
        return " ".join(notes)
    return f"{_birth(candidate.scored)}, on {candidate.run.task}"


def _birth(scored: ScoredIndividual) -> str:
    """Operator and parents of an individual, and the birth whose outcome it shares, if any."""
    individual = scored.individual
    parents = f" of {' and '.join(map(str, individual.parents))}" if individual.parents else ""
    cached = f", outcome shared with {individual.cached_from}" if individual.cached_from is not None else ""
    return f"{individual.operator}{parents}{cached}"


def _print_next(out: Console, candidate: Candidate, url: str) -> None:
    label = candidate.label
    # The export of a policy plays on its task, to compare; other exports need no task.
    task = task_option(candidate) if candidate.kind == "policy" else ()
    commands = [command_line("export", label, "-o", "FILE.py", *task)]
    if candidate.scored is not None:
        commands = [command_line("lineage", label), presenter_of(candidate.kind).next_command(label, task), *commands]
    for i, line in enumerate(commands):
        out.print(safe("      " if i else "next  ", QUIET), safe(on_database(line, url)), sep="")
