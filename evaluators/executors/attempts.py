"""The calls of workers that a job needs until each of its genomes has an outcome. Bookkeeping, without any worker.

A call scores a job whole, or the genomes at some of its positions, in a batch of the shape of the whole job. What
follows:

| a call … | of several genomes | of one genome |
|---|---|---|
| has scored | their outcomes | its outcome |
| has raised | in parts | `crashed`, or `oom` |
| has exceeded its time limit | in parts | `timeout` |
| has lost its process | again, in a fresh process; then in parts | again, in a fresh process; then `crashed` or `oom` |

Up to `MOST_PARTS` genomes become parts of one genome each. A larger job, such as the whole block that a GPU scores at
once, would take as long for each of its genomes as for all: so it becomes `MOST_PARTS` parts, and only the parts that
fail too become smaller.

A process can also end through no fault of a genome: somebody killed it, or its machine was shut down. A loss for which
the genomes are not *suspect* says nothing about them: the call is repeated as if it had never been made. After
`MOST_ACCIDENTS` such losses of a call, the genomes are suspect all the same, since a run has to end.

Memory may be exhausted by the genome of another worker. So no genome is `oom` unless its second loss happened while no
other worker scored.
"""

import math
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from germline.evaluators.executors.executor import Job
from germline.evaluators.outcome import Outcome

MOST_ACCIDENTS = 5
MOST_PARTS = 16


def parts_of(positions: Sequence[int]) -> list[tuple[int, ...]]:
    """Returns the positions of a failed call in parts, at most `MOST_PARTS`, in which its genomes are scored again."""
    size = math.ceil(len(positions) / MOST_PARTS)
    return [tuple(positions[first : first + size]) for first in range(0, len(positions), size)]


@dataclass(frozen=True)
class Call:
    """A call of a worker.

    Attributes:
        job: the job to score.
        positions: of the genomes to score; None: all are scored.
        again: True if the call has lost a process before, and its genomes are suspect. It needs a process that has
            scored nothing.
        undisturbed: True if no other worker may score meanwhile.
        accidents: how many processes this call has lost without its genomes being suspect.
    """

    job: Job
    positions: tuple[int, ...] | None = None
    again: bool = False
    undisturbed: bool = False
    accidents: int = 0

    @property
    def places(self) -> Sequence[int]:
        """Positions of the genomes to score."""
        return range(len(self.job.genomes)) if self.positions is None else self.positions

    @property
    def has_one_genome(self) -> bool:
        return len(self.places) == 1


class Attempts:
    """The calls that wait for a worker, and the outcomes so far, of the jobs that were submitted.

    `done` holds the finished jobs with the outcomes of their genomes in order; the caller takes them out.
    """

    def __init__(self) -> None:
        self.done: deque[tuple[Job, list[Outcome]]] = deque()
        self._waiting: deque[Call] = deque()
        self._outcomes: dict[tuple[int, ...], dict[int, Outcome]] = {}
        """Of jobs that are scored in parts: the outcomes by position, by the key of the job."""

    def submit(self, job: Job) -> None:
        """Adds a job."""
        self._waiting.append(Call(job))

    def take(self, running: Collection[Call]) -> Call | None:
        """Removes the next call from the queue and returns it; None if no call waits, or if the next call must not run
        beside the calls in `running`."""
        if not self._waiting or (running and self._waiting[0].undisturbed) or any(call.undisturbed for call in running):
            return None
        return self._waiting.popleft()

    def scored(self, call: Call, outcomes: list[Outcome]) -> None:
        """Notes the outcomes of the genomes of a call."""
        if call.positions is None:
            self.done.append((call.job, outcomes))
            return
        known = self._outcomes.setdefault(call.job.key, {})
        known.update(zip(call.positions, outcomes, strict=True))
        if len(known) == len(call.job.genomes):
            del self._outcomes[call.job.key]
            self.done.append((call.job, [known[position] for position in range(len(known))]))

    def failed(self, call: Call, outcome: Outcome) -> None:
        """Notes that a call raised or exceeded its time limit; `outcome` is the genome's, if the call has only one."""
        if call.has_one_genome:
            self.scored(call, [outcome])
        else:
            self._score_in_parts(call)

    def lost(self, call: Call, outcome: Outcome, suspect: bool) -> None:
        """Notes that a call lost its process.

        Args:
            call: the call.
            outcome: the genome's, `crashed` or `oom`, if the call has only one and that is blamed.
            suspect: True if the process may have ended because of what it scored.
        """
        if not suspect and call.accidents < MOST_ACCIDENTS:
            self._waiting.appendleft(replace(call, accidents=call.accidents + 1))
        elif not call.again or (outcome.status == "oom" and call.has_one_genome and not call.undisturbed):
            undisturbed = outcome.status == "oom" and call.has_one_genome
            self._waiting.appendleft(replace(call, again=True, undisturbed=undisturbed))
        else:
            self.failed(call, outcome)

    def _score_in_parts(self, call: Call) -> None:
        """Queues the parts of a call before the calls that wait, which belong to later jobs."""
        self._waiting.extendleft(Call(call.job, part) for part in reversed(parts_of(call.places)))
