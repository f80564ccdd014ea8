"""What an operator from outside is asked, and what it answers: plain data, which crosses to its process as JSON.

Nothing of Germline is imported, so that the process of an operator starts in a moment.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Candidate:
    """An individual of the run with its outcome at rung 0.

    Attributes:
        birth, operator, genome: of the individual; the genome as text.
        status: `ok`, `diverged`, `rejected`, `timeout`, `oom` or `crashed`.
        fitness: higher is better; None unless the status is `ok`.
        objectives, measures: numbers by name.
        error: why it failed; None if it did not.
    """

    birth: int
    operator: str
    genome: str
    status: str
    fitness: float | None
    objectives: Mapping[str, float] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class Refusal:
    """A proposal that was not accepted: its text, and why."""

    text: str
    reason: str


@dataclass(frozen=True)
class Request:
    """A request for a genome.

    Attributes:
        birth: the birth that the genome is for.
        seed: a random number from 0 to 2^32 - 1 that follows from the run's seed and the birth.
        kind, task: of the run.
        language: how genomes are written, as text for a reader, made from the tables of the language.
        parent: the individual that the child is made from.
        biography: ancestors of the parent, the nearest first.
        good: the fittest individuals of the run with other fingerprints, the best first.
        far: individuals with other fingerprints that have little in common with the parent.
        refusals: the latest proposals of the run that were not accepted, oldest first.
        refused: the proposal for this birth that was not accepted; None at first.
        calls_left: how many calls may be made; None: any number.
    """

    birth: int
    seed: int
    kind: str
    task: str
    language: str
    parent: Candidate
    biography: tuple[Candidate, ...] = ()
    good: tuple[Candidate, ...] = ()
    far: tuple[Candidate, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    refused: Refusal | None = None
    calls_left: int | None = None

    def record(self) -> str:
        """What is kept of a request that the operator does not put into words itself: births instead of genomes."""
        births = {
            "parent": self.parent.birth,
            "good": [each.birth for each in self.good],
            "far": [each.birth for each in self.far],
        }
        refused = None if self.refused is None else asdict(self.refused)
        return json.dumps({"birth": self.birth, "seed": self.seed, **births, "refused": refused})


@dataclass(frozen=True)
class Answer:
    """What an operator returns, unless it returns just a text.

    Attributes:
        text: the genome.
        request: the prompt or the parameters, for the record; None: the births that the operator was shown.
        model: the name of a model that answered.
        prompt_tokens, answer_tokens: that a model has counted.
        calls: how many requests were sent.
        error: why there is no genome; None if there is.
    """

    text: str
    request: str | None = None
    model: str = ""
    prompt_tokens: int = 0
    answer_tokens: int = 0
    calls: int = 0
    error: str | None = None


def write_request(request: Request) -> str:
    """A request as a line of JSON."""
    return json.dumps(asdict(request))


def read_request(text: str) -> Request:
    """The request of a line that `write_request` wrote."""
    data: dict[str, Any] = json.loads(text)
    for name in ("biography", "good", "far"):
        data[name] = tuple(Candidate(**each) for each in data[name])
    data["refusals"] = tuple(Refusal(**each) for each in data["refusals"])
    data["refused"] = data["refused"] and Refusal(**data["refused"])
    return Request(**{**data, "parent": Candidate(**data["parent"])})
