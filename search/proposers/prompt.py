"""The prompt of the operator `llm`: the language, the parent with its biography, others, and what was refused."""

import math
from collections.abc import Sequence

from germline.search.proposers.request import Candidate, Refusal, Request

MOST_MEASURES = 8
"""Measures of an individual that are shown, without those of a curve."""
LONGEST = 6_000
"""Characters of a genome or of a refused answer that are shown."""


def messages(request: Request) -> list[dict[str, str]]:
    """The messages of a chat, in OpenAI's form."""
    chat = [{"role": "system", "content": _system(request)}, {"role": "user", "content": _question(request)}]
    if request.refused is not None:
        chat.append({"role": "assistant", "content": request.refused.text[:LONGEST]})
        reason = f"This cannot be used: {request.refused.reason}. Answer with another genome, in the same form."
        chat.append({"role": "user", "content": reason})
    return chat


def estimated_tokens(request: Request) -> int:
    """The tokens of the prompt at four characters each, for a service that has not counted them."""
    return sum(len(message["content"]) for message in messages(request)) // 4


def _system(request: Request) -> str:
    return "\n".join(
        [
            f"You improve candidates in an evolutionary search of kind {request.kind} on the task {request.task}. Each "
            "candidate is a genome, a text in the language below, and is scored by a real experiment. Propose a child "
            "that is likely to have a higher fitness than its parent.",
            "",
            request.language,
            "",
            "Answer with a sentence on the idea, and then the whole genome between two lines of three backticks.",
        ]
    )


def _question(request: Request) -> str:
    parts = ["The parent:", _shown(request.parent)]
    if request.biography:
        parts += ["", "Its ancestors, the nearest first:", *(_line(each) for each in request.biography)]
    if request.good:
        parts += ["", "The fittest candidates so far:", *map(_shown, request.good)]
    if request.far:
        parts += ["", "Candidates with little in common with the parent:", *map(_shown, request.far)]
    if request.refusals:
        parts += ["", "Proposals that were refused lately, do not repeat them:", *_refused(request.refusals)]
    return "\n".join([*parts, "", "Write a child of the parent that computes something new."])


def _shown(candidate: Candidate) -> str:
    return f"{_line(candidate)}\n```\n{candidate.genome.strip()[:LONGEST]}\n```"


def _line(candidate: Candidate) -> str:
    """An individual in a line, without its genome."""
    names = [name for name in candidate.measures if not name.startswith("curve_")][:MOST_MEASURES]
    numbers = [f"{name} {_number(candidate.objectives[name])}" for name in candidate.objectives]
    numbers += [f"{name} {_number(candidate.measures[name])}" for name in names]
    fitness = "no fitness" if candidate.fitness is None else f"fitness {_number(candidate.fitness)}"
    error = f" ({candidate.error})" if candidate.error else ""
    facts = ", ".join([fitness, *numbers])
    return f"birth {candidate.birth}, made by {candidate.operator}, {candidate.status}{error}: {facts}"


def _refused(refusals: Sequence[Refusal]) -> list[str]:
    return [f"- {each.reason}: {' '.join(each.text.split())[:300]}" for each in refusals]


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else str(value)
