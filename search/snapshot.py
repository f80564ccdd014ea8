"""Snapshots: what a search knows after a block, as text, so that a resume need not fold all blocks before it.

A snapshot follows from the rows of its run and replaces none of them: without it, or if it cannot be read, all blocks
are folded, with the same result. It names individuals by their births, and is plain JSON under its own hash, so that a
damaged snapshot, or that of a version with other states, is left aside.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

from germline.db.records import Snapshot
from germline.evaluators.hurdle import Limit
from germline.evaluators.outcome import Outcome
from germline.search.individual import Individual, Review, Scored
from germline.search.journal import Journal
from germline.search.known_outcomes import KnownOutcomes

VERSION = 1
"""Changes when a strategy computes another state from the same blocks, or when this format does."""
LARGEST = 4_000_000
"""The most characters of a snapshot. A larger state is not recorded, and a resume folds the rows."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SearchState:
    """What the loop knows after block `block` is complete, while the next `len(limits)` blocks are in flight.

    Attributes:
        block: the number of the block.
        state: the state of the strategy.
        limits: the early-stopping threshold of each block in flight.
        winner: the winner of the block.
        evaluations, frames: how much of the budget is spent.
        counts, failures: the counts of the blocks up to this one, as `Tally` has them.
        best: the best individual, which may be of a block in flight.
        start: birth 0 with its outcome.
    """

    block: int
    state: Any
    limits: tuple[Limit | None, ...]
    winner: Individual | None
    evaluations: int
    frames: int
    counts: Mapping[str, int]
    failures: Mapping[str, int]
    best: Scored | None
    start: Scored | None

    def within(self, evaluations: int | None, frames: int | None) -> bool:
        """True if neither budget is used up at this state, so that a search surely gets beyond it. None: no limit."""
        return (evaluations is None or self.evaluations < evaluations) and (frames is None or self.frames < frames)


class NoSnapshot(ValueError):
    """A state cannot be written as a snapshot, or a snapshot cannot be read."""


def record(search: SearchState, classes: Sequence[type]) -> Snapshot | None:
    """The record of a snapshot; None if the strategy has no snapshots, or its state cannot be written."""
    if not classes:
        return None
    try:
        return Snapshot(search.block, write(search, classes))
    except NoSnapshot as error:
        log.info("no snapshot of the search is recorded (%s)", error)
        return None


def restore(journal: Journal, known: KnownOutcomes, classes: Sequence[type]) -> SearchState | None:
    """The state in the latest snapshot of a run; None if there is none, or if it cannot be read. The outcomes that it
    refers to are read into `known`."""
    text = journal.snapshot() if classes else None
    if text is None:
        return None
    try:
        individuals = journal.individuals(births_in(text, classes))
        known.meet(individual.fingerprint for individual in individuals.values())
        outcomes = {key[0]: outcome for key, outcome in known.outcomes.items() if key[1:] == (0, 0)}
        return read(text, classes, individuals, outcomes)
    except NoSnapshot as error:
        log.warning("the snapshot of the search is left aside (%s)", error)
        return None


def write(search: SearchState, classes: Iterable[type]) -> str:
    """The snapshot of a search.

    Args:
        search: what the loop knows.
        classes: the dataclasses that the state of the strategy consists of.

    Raises:
        NoSnapshot: the state has values of other types, or is too large.
    """
    plain = _Writer(classes).plain(search)
    text = json.dumps(plain, allow_nan=False, separators=(",", ":"))
    if len(text) > LARGEST:
        raise NoSnapshot(f"expected a state of at most {LARGEST:,} characters, got {len(text):,}")
    return f"{_digest(text, classes)} {text}"


def births_in(text: str, classes: Iterable[type]) -> list[int]:
    """The births that a snapshot names, which `read` needs.

    Raises:
        NoSnapshot: it is damaged, or another version wrote it.
    """
    births: dict[int, None] = {}
    waiting = [_checked(text, classes)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "birth" in value:
                births[_birth(value["birth"])] = None
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return list(births)


def read(
    text: str, classes: Iterable[type], individuals: Mapping[int, Individual], outcomes: Mapping[str, Outcome]
) -> SearchState:
    """What the loop knew when a snapshot was written.

    Args:
        text: the snapshot.
        classes: the dataclasses that the state of the strategy consists of.
        individuals: by birth, those of `births_in`.
        outcomes: at rung 0, by fingerprint, those of these individuals.

    Raises:
        NoSnapshot: it is damaged, another version wrote it, or an individual is missing.
    """
    try:
        search = _Reader(classes, individuals, outcomes).value(_checked(text, classes))
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise NoSnapshot(f"expected a snapshot of this version, got {type(error).__name__}: {error}") from error
    if not isinstance(search, SearchState):
        raise NoSnapshot("expected a snapshot of a search")
    return search


class _Writer:
    """Turns values into plain JSON. An object that occurs again is written as a number, because strategies may ask
    whether two places hold the same object."""

    def __init__(self, classes: Iterable[type]) -> None:
        self.names = {known: known.__name__ for known in (SearchState, Review, *classes)}
        self.written: dict[int, int] = {}

    def plain(self, value: Any) -> Any:
        if value is None or type(value) in (bool, int, str):
            return value
        if isinstance(value, float):
            return float(value) if isfinite(value) else {"float": repr(float(value))}
        if type(value) is tuple:
            return [self.plain(part) for part in value]
        if isinstance(value, Individual):
            return {"birth": value.birth}
        if isinstance(value, Scored):
            return {"birth": value.individual.birth, "scored": True}
        if isinstance(value, frozenset):
            return {"set": [self.plain(part) for part in value]}
        if isinstance(value, Mapping):
            return {"map": [[self.plain(key), self.plain(part)] for key, part in value.items()]}
        return self._object(value)

    def _object(self, value: Any) -> Any:
        if id(value) in self.written:
            return {"again": self.written[id(value)]}
        if type(value) not in self.names:
            raise NoSnapshot(f"expected a state of plain values, got a {type(value).__name__}")
        parts = [self.plain(getattr(value, field.name)) for field in fields(value)]
        self.written[id(value)] = len(self.written)
        return {"class": self.names[type(value)], "fields": parts}


class _Reader:
    """Turns plain JSON into the values that `_Writer` was given."""

    def __init__(
        self, classes: Iterable[type], individuals: Mapping[int, Individual], outcomes: Mapping[str, Outcome]
    ) -> None:
        self.classes = {known.__name__: known for known in (SearchState, Review, *classes)}
        self.individuals = individuals
        self.outcomes = outcomes
        self.objects: list[Any] = []

    def value(self, plain: Any) -> Any:
        if isinstance(plain, list):
            return tuple(self.value(part) for part in plain)
        if not isinstance(plain, dict):
            return plain
        if "birth" in plain:
            individual = self.individuals[plain["birth"]]
            return Scored(individual, self.outcomes[individual.fingerprint]) if "scored" in plain else individual
        if "float" in plain:
            return float(plain["float"])
        if "again" in plain:
            return self.objects[plain["again"]]
        if "set" in plain:
            return frozenset(self.value(part) for part in plain["set"])
        if "map" in plain:
            return {self.value(key): self.value(part) for key, part in plain["map"]}
        restored = self.classes[plain["class"]](*(self.value(part) for part in plain["fields"]))
        self.objects.append(restored)
        return restored


def _checked(text: str, classes: Iterable[type]) -> Any:
    """The plain JSON of a snapshot. Raises NoSnapshot if its hash is wrong, or if it is no JSON."""
    digest, _, content = text.partition(" ")
    if digest != _digest(content, classes):
        raise NoSnapshot("expected a snapshot of this version, got another or a damaged one")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:  # the hash can be computed by anybody
        raise NoSnapshot(f"expected JSON, got {type(error).__name__}") from error


def _birth(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 31:
        raise NoSnapshot(f"expected a birth, got {value!r:.40}")
    return value


def _digest(content: str, classes: Iterable[type]) -> str:
    """A hash of the content, of the version, and of the fields of the classes."""
    field_names = [(each.__name__, *(field.name for field in fields(each))) for each in (SearchState, Review, *classes)]
    return hashlib.blake2b(
        f"{VERSION} {field_names} {content}".encode("utf-8", "surrogatepass"), digest_size=16
    ).hexdigest()
