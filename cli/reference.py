"""Genome references: `RUN` (its winner), `RUN:best`, `RUN:BIRTH`, `library:NAME` or a file.

The winner is what the search would hand over, after its reviews; `RUN:best` has the highest fitness on the proxy, where
the fittest may only be the luckiest.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from germline.cli.common import open_store
from germline.cli.genome_text import kind_of

if TYPE_CHECKING:
    from germline.db.records import EvaluationRecord, RunRecord, ScoredIndividual

PICK = "Of a RUN's architectures the one that is picked: knee, error, params, macs, latency, or under=3M."
WINNER = "its winner, what the search would hand over"
HELP = f"REF is RUN ({WINNER}), RUN:best (the highest on the proxy), RUN:BIRTH, library:NAME or a file with a genome."


class BadReference(ValueError):
    """A reference that names nothing; the message says what to write."""


@dataclass(frozen=True)
class Candidate:
    """What a reference stands for. `run` and `scored` are None for the library and for files."""

    label: str
    kind: str
    genome: str
    run: "RunRecord | None" = None
    scored: "ScoredIndividual | None" = None
    reviews: "tuple[EvaluationRecord, ...]" = ()


def resolve(reference: str, url: str) -> Candidate:
    """The candidate that `reference` names.

    Raises:
        BadReference, DatabaseError: it names nothing.
        InvalidProgram: it names a file or text that is not a genome.
    """
    if reference.startswith("library:"):
        from germline.programs.optimizer.library import library_text

        return Candidate(reference, "optimizer", library_text(reference.removeprefix("library:")))
    if _looks_like_file(reference):
        text = read_genome(Path(reference))
        return Candidate(reference, kind_of(text, json=reference.endswith(".json")), text)
    name, colon, birth = reference.rpartition(":") if ":" in reference else (reference, "", "")
    if colon and birth != "best" and not (birth.isdecimal() and len(birth) < 20):
        raise BadReference(f"expected RUN:best, or RUN:BIRTH with a birth number, got {reference!r:.80}")
    from germline.search.winner import winner

    with open_store(url) as store:
        run = store.run(name)
        if not colon:
            scored = winner(store, name)
        else:
            scored = store.best(name) if birth == "best" else store.individual(name, int(birth))
        reviews = tuple(
            one for one in store.reviews(run.id, scored.individual.fingerprint) if (one.rung, one.seed) != (0, 0)
        )
    return Candidate(f"{name}:{scored.individual.birth}", run.kind, scored.individual.genome, run, scored, reviews)


def chosen(reference: str, criterion: str | None, url: str) -> Candidate:
    """What a reference names or, with a criterion, what that picks of the run it names.

    Raises:
        BadReference, BadCriterion, DatabaseError, InvalidProgram: as `resolve` and `picked` do.
    """
    return picked(reference, criterion, url) if criterion else resolve(reference, url)


def picked(name: str, criterion: str, url: str) -> Candidate:
    """The candidate that a criterion picks among all architectures of a run that were scored well.

    Raises:
        BadReference: there is none, or the run is of another kind.
        BadCriterion: there is no such criterion, or nothing meets it.
    """
    from germline.search.picking import pick

    if ":" in name or _looks_like_file(name):
        raise BadReference(f"expected a RUN to pick from, got {name!r:.80}; leave --pick away")
    with open_store(url) as store:
        run = store.run(name)
        found = store.top(name) if run.kind == "architecture" else []
    scored = [(one, one.evaluation.objectives) for one in found if one.evaluation]
    if not scored:
        raise BadReference(
            f"expected a run of architectures that were scored to pick from, got {name}, of kind {run.kind}"
        )
    chosen = scored[pick([objectives for _, objectives in scored], criterion)][0].individual
    return resolve(f"{name}:{chosen.birth}", url)


def read_genome(path: Path) -> str:
    """The text of a genome file of at most 10 MB.

    Raises:
        BadReference: the file cannot be read as text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(10_000_001)
        if len(data) > 10_000_000:
            raise BadReference(f"expected a genome file of at most 10 MB, got a larger one: {path}")
        return data.decode("utf-8")
    except OSError as error:
        raise BadReference(f"cannot read {path} ({error.strerror})") from None
    except UnicodeDecodeError:
        raise BadReference(f"expected a text file, got bytes that are not UTF-8: {path}") from None


def names_file(reference: str) -> bool:
    """Whether a reference is one to a file, also where there is none."""
    return "/" in reference or reference.endswith((".py", ".txt", ".json"))


def _looks_like_file(reference: str) -> bool:
    if names_file(reference):
        return True
    try:
        return Path(reference).is_file()
    except OSError:  # longer than the name of a file can be
        return False
