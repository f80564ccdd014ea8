"""What the page of an individual shows: its genome as text and formula, its scores, its relatives, what to do next."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from germline.cli.candidate import Candidate
from germline.cli.dashboard.film import film_offer
from germline.cli.dashboard.next_commands import comparison_command, next_commands
from germline.cli.dashboard.score_names import group_name, score_name
from germline.cli.errors import BadReference
from germline.cli.genome_facts import genome_facts
from germline.cli.genome_line import Line
from germline.cli.presenters.registry import PRESENTERS, presenter_of
from germline.cli.printing import on_a_line
from germline.cli.verdicts import LINES, WHERE
from germline.db.records import ArtifactRecord, EvaluationRecord, SimplifiedRecord, VerdictRecord
from germline.search.analysis.policy_scores import confidence_half_width

MEASURES = 24
"""The most measures of an outcome that are listed."""

REVIEWS = 20
"""The most evaluations on a rung of a task that are listed: a test may have hundreds of seeds."""

RELATIVES = 24
"""The most children that are listed."""

LINES_SHOWN = 400
"""The most lines of a genome that are shown."""

_WORD = re.compile(
    r"(?P<keyword>\b(?:def|return)\b)|(?P<function>[A-Za-z_]\w*(?=\())|(?P<number>(?<![\w.])-?\d[\d.]*(?:e[+-]?\d+)?)"
)


@dataclass(frozen=True)
class Records:
    """What the database holds of an individual.

    Attributes:
        candidate: with its outcome and all reviews.
        start: birth 0 of its run in the same form; None for kinds that are not compared with it.
        children: births of which it is a parent, the first or another, in their order.
        simplified, verdict: the latest of each; None without.
        artifacts: exported files.
        url: the database, which commands to go on with name.
    """

    candidate: Candidate
    start: Candidate | None
    children: Sequence[int]
    simplified: SimplifiedRecord | None
    verdict: VerdictRecord | None
    artifacts: Sequence[ArtifactRecord]
    url: str


@dataclass(frozen=True)
class Token:
    """A piece of a line of a genome with its class: `keyword`, `function`, `number`, or nothing."""

    text: str
    style: str = ""


NumberedLine = tuple[int | None, bool, list[Token]]
"""The number of a line, whether it is live, and its pieces."""


def individual_data(records: Records, formula: str | None) -> dict[str, Any]:
    """The texts of the page. A genome that is not valid is shown as it is, with the error."""
    candidate, scored = records.candidate, records.candidate.scored
    assert scored is not None and candidate.run is not None
    known = candidate.kind in PRESENTERS
    scores = score_rows(candidate, records.start)
    lines: list[NumberedLine] = [(None, True, [Token(on_a_line(candidate.genome))])]
    summary = one_line = problem = ""
    facts: dict[str, Any] = {}
    if known:
        presenter = presenter_of(candidate.kind)
        try:
            shown = presenter.shorten(presenter.lines(candidate.genome))[:LINES_SHOWN]
            lines = [(line.statement, line.live, list(tokens(_indented(line)))) for line in shown]
            one_line = on_a_line(presenter.one_line(candidate.genome), 400)
            facts = genome_facts(candidate)
            summary = presenter.summary(facts)
        except (ValueError, BadReference) as error:
            problem = on_a_line(f"this genome cannot be read: {error}", 400)
    return {
        "label": candidate.label,
        "birth": scored.individual.birth,
        "block": scored.individual.block,
        "operator": scored.individual.operator,
        "parents": scored.individual.parents[:RELATIVES],
        "children": list(records.children[:RELATIVES]),
        "more_children": max(0, len(records.children) - RELATIVES),
        "cached_from": scored.individual.cached_from,
        "fingerprint": scored.individual.fingerprint,
        "lines": lines,
        "summary": summary,
        "one_line": one_line,
        "problem": problem,
        "formula": formula,
        "cells": candidate.kind == "architecture" and not problem,
        "film": None if problem else film_offer(candidate, records.url),
        "scores": scores,
        "has_start": any(row["gain"] is not None for row in scores),
        "more_scores": _cut(candidate)[1],
        "numbers": _numbers(candidate),
        "verdict": _verdict(records.verdict),
        "simplified": _simplified(records) if known else None,
        "artifacts": records.artifacts[-RELATIVES:],
        "comparison": comparison_command(candidate, records.url),
        "commands": next_commands(candidate, records.url),
    }


def tokens(line: str) -> Iterator[Token]:
    """A line in pieces, with classes for keywords, functions and numbers."""
    text, at = on_a_line(line), 0
    for match in _WORD.finditer(text):
        if match.start() > at:
            yield Token(text[at : match.start()])
        yield Token(match.group(), str(match.lastgroup))
        at = match.end()
    yield Token(text[at:])


def score_rows(candidate: Candidate, start: Candidate | None) -> list[dict[str, Any]]:
    """A row for each evaluation: `level`, `status`, `fitness`, `interval` (half width, None without), `gain` over the
    start on the same level, `seconds` and `error`. Of the reviews on a rung of a task the last `REVIEWS` are listed."""
    assert candidate.run is not None
    home = candidate.run.task
    by_level = {_level(each): each.fitness for each in start.evaluations} if start else {}
    rows = []
    for each in _cut(candidate)[0]:
        name = score_name(each, candidate.kind, home)
        before = by_level.get(_level(each))
        rows.append(
            {
                "level": on_a_line(name, 120),
                "status": each.status,
                "fitness": each.fitness,
                "interval": confidence_half_width(each) if candidate.kind == "policy" else None,
                "gain": None if before is None or each.fitness is None else each.fitness - before,
                "seconds": each.seconds,
                "error": on_a_line(each.error, 400) if each.error else "",
            }
        )
    return rows


def _level(evaluation: EvaluationRecord) -> tuple[str, int, int]:
    return evaluation.task, evaluation.rung, evaluation.seed


def _cut(candidate: Candidate) -> tuple[list[EvaluationRecord], list[str]]:
    """The evaluations that are listed, and for each rung of a task how many earlier ones are not."""
    assert candidate.run is not None
    by_level: dict[str, list[EvaluationRecord]] = {}
    for each in candidate.evaluations:
        by_level.setdefault(group_name(each, candidate.kind, candidate.run.task), []).append(each)
    shown = [each for records in by_level.values() for each in records[-REVIEWS:]]
    more = [
        f"{on_a_line(name, 120)}: {len(records) - REVIEWS:,} earlier"
        for name, records in by_level.items()
        if len(records) > REVIEWS
    ]
    return shown, more


def _indented(line: Line) -> str:
    return line.text if line.statement is None and line.key[0] in ("def", "cell") else f"  {line.text}"


def _numbers(candidate: Candidate) -> list[tuple[str, float]]:
    """The objectives and the first measures of the outcome."""
    outcome: EvaluationRecord | None = candidate.scored.evaluation if candidate.scored else None
    if outcome is None:
        return []
    values: Mapping[str, float] = {**outcome.objectives, **outcome.measures}
    return [(on_a_line(name, 60), value) for name, value in list(values.items())[:MEASURES]]


def _verdict(record: VerdictRecord | None) -> list[str]:
    lines = record.content.get(LINES) if record else None
    if record is None or not isinstance(lines, list):
        return []
    where = record.content.get(WHERE)
    return [on_a_line(str(line), 300) for line in [*lines[:20], *([f"by {where}"] if where else [])]]


def _simplified(records: Records) -> dict[str, Any] | None:
    if records.simplified is None:
        return None
    candidate = replace(records.candidate, genome=records.simplified.genome, scored=None)
    try:
        lines = presenter_of(candidate.kind).lines(candidate.genome)[:LINES_SHOWN]
        summary = presenter_of(candidate.kind).summary(genome_facts(candidate))
    except (ValueError, BadReference):
        return None
    return {"lines": [(line.statement, line.live, list(tokens(_indented(line)))) for line in lines], "summary": summary}
