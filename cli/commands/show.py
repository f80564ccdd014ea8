"""`germline show`: one candidate, at a glance."""

from typing import TYPE_CHECKING, Any

import click

from germline.cli.common import console, db_option, json_option, print_json
from germline.cli.reference import HELP, Candidate

if TYPE_CHECKING:
    from rich.console import Console

    from germline.db.records import EvaluationRecord, ScoredIndividual


@click.command(epilog=HELP)
@click.argument("reference", metavar="REF")
@db_option
@json_option
def command(reference: str, url: str, as_json: bool) -> None:
    """Show a candidate: program, worth and origin.

    Its fitness stands beside the start program's, rung by rung. Statements on which no
    update depends are dimmed and marked with a dot. Of a policy there is the last review,
    which selects and so flatters whom it selected, and the test, with the 95 % confidence
    interval of the mean return.

    \b
    Examples:
      germline show optimizer-1
      germline show optimizer-1:42
      germline show library:lion
    """
    from germline.cli.individuals import candidate_row, describe, evaluation_row
    from germline.cli.reference import resolve

    candidate = resolve(reference, url)
    facts = describe(candidate)
    start = resolve(f"{candidate.run.name}:0", url) if candidate.run else None
    if as_json:
        row = {**facts, **candidate_row(candidate, facts), "task": candidate.run.task if candidate.run else None}
        outcomes = {"this": candidate, "start": start}
        row["evaluations"] = {
            name: [evaluation_row(one) for one in _evaluations(of)] for name, of in outcomes.items() if of
        }
        if candidate.kind == "policy":
            row["score"] = _score(_evaluations(candidate))
        print_json(row)
    else:
        _print(candidate, start, facts)


def _score(evaluations: "list[EvaluationRecord]") -> dict[str, Any] | None:
    """What says most of a policy."""
    from germline.search.analysis.policy_scores import confidence_half_width, decisive_score, source

    found = decisive_score(evaluations)
    if found is None:
        return None
    return {
        "mean": found.fitness,
        "interval": confidence_half_width(found),
        "episodes": found.measures.get("episodes"),
        "of": source(found),
    }


def _evaluations(candidate: Candidate) -> "list[EvaluationRecord]":
    outcome = candidate.scored.evaluation if candidate.scored else None
    return [*([outcome] if outcome else []), *candidate.reviews]


def _print(candidate: Candidate, start: Candidate | None, facts: dict[str, Any]) -> None:
    from rich.text import Text

    from germline.cli.genome_text import DEAD, genome_view, summary
    from germline.cli.render import QUIET, safe

    out = console()
    out.print(Text.assemble(safe(candidate.label, "bold"), "  ", safe(_origin(candidate), QUIET)))
    out.print(safe(f"fingerprint {facts['fingerprint']}", QUIET))
    out.print()
    out.print(genome_view(candidate.genome))
    out.print()
    dead = f"; {DEAD} marks dead ones" if facts.get("live", 0) < facts.get("statements", 0) else ""
    out.print(safe(summary(facts) + dead, QUIET))
    if candidate.scored and start:
        out.print()
        if candidate.kind == "policy":
            _print_scores(out, candidate)
        else:
            _print_worth(out, candidate, start)
    out.print()
    _print_next(out, candidate)


def _origin(candidate: Candidate) -> str:
    if candidate.scored is None or candidate.run is None:
        notes = [line.removeprefix("#").strip() for line in candidate.genome.splitlines() if line.startswith("#")]
        return " ".join(notes)
    return f"{_birth(candidate.scored)}, on {candidate.run.task}"


def _birth(scored: "ScoredIndividual") -> str:
    one = scored.individual
    parents = f" of {' and '.join(map(str, one.parents))}" if one.parents else ""
    cached = f", outcome shared with {one.cached_from}" if one.cached_from is not None else ""
    return f"{one.operator}{parents}{cached}"


def _print_scores(out: "Console", candidate: Candidate) -> None:
    """What a policy came to; its start is none to compare with, since episodes differ from one birth to the next."""
    from germline.cli.policy_text import rounds, scores_table
    from germline.cli.render import BAD, QUIET, level, print_table, safe
    from germline.search.analysis.policy_scores import last_per_rung

    assert candidate.run is not None
    home, found = candidate.run.task, _evaluations(candidate)
    if not found:
        out.print(safe("not scored yet"))
        return
    print_table(out, scores_table(found, home))
    if told := rounds(found):
        out.print(safe(told, QUIET))
    for one in last_per_rung(found):
        if one.error:
            out.print(safe(f"{level(one, home)}: {one.error:.300}", BAD))


def _print_worth(out: "Console", candidate: Candidate, start: Candidate) -> None:
    """Fitness, objectives and measures beside the start program's; of a review the fitness alone, to stay readable."""
    from germline.cli.render import BAD, gain, level, number, plain_table, print_table, safe

    assert candidate.run is not None
    home = candidate.run.task
    reference = {level(one, home): one for one in _evaluations(start)}
    found = _evaluations(candidate)
    if not found:
        out.print(safe("not scored yet"))
        return
    headers = (candidate.label.rpartition(":")[2], "start", "gain")
    table = plain_table("", "", *headers, right=headers)
    for one in found:
        name = level(one, home)
        other = reference.get(name)
        if one.status != "ok":
            table.add_row(safe(name), safe(one.status, BAD), safe(""), safe(""), safe(""))
            continue
        values = _values(one) if one is found[0] else {"fitness": one.fitness}
        for k, (key, value) in enumerate(values.items()):
            against = _values(other).get(key) if other else None
            better = gain(value - against if key == "fitness" and value is not None and against is not None else None)
            style = "bold" if key == "fitness" else ""
            table.add_row(
                safe(name if k == 0 else ""), safe(key, style), safe(number(value), style), number(against), better
            )
    print_table(out, table)
    for one in found:
        if one.error:
            out.print(safe(f"{level(one, home)}: {one.error:.300}", BAD))


def _values(evaluation: "EvaluationRecord") -> dict[str, float | None]:
    return {"fitness": evaluation.fitness, **evaluation.objectives, **evaluation.measures}


def _print_next(out: "Console", candidate: Candidate) -> None:
    from germline.cli.render import QUIET, safe

    label = candidate.label
    commands = [f"germline export {label} -o FILE.py"]
    if candidate.scored is not None:
        name = label.rpartition(":")[0]
        policy = candidate.kind == "policy"
        second = f"germline play {label}" if policy else f"germline diff {name}:0 {label}"
        commands = [f"germline lineage {label}", second, *commands]
    for k, line in enumerate(commands):
        out.print(safe("next  " if k == 0 else "      ", QUIET), safe(line), sep="")
