"""Genome references: `RUN` (its winner), `RUN:best`, `RUN:BIRTH`, `library:NAME`, a file, `-`, or a genotype itself.

`RUN:simplified`, `RUN:best:simplified` and `RUN:BIRTH:simplified` are what these became by their latest simplification.
`-` is a genome on stdin.

The winner is the strategy's choice, after its reviews. `RUN:best` has the highest fitness at rung 0, which may be luck.
"""

import re
from pathlib import Path

from germline.cli.candidate import Candidate
from germline.cli.database import open_store
from germline.cli.errors import BadReference
from germline.cli.genome_file import (
    STDIN,
    as_genome,
    is_file_reference,
    kind_of,
    looks_like_file,
    no_such_file,
    read_genome,
    read_stdin,
)
from germline.cli.presenters.registry import presenter_of
from germline.cli.reference_help import HELP as HELP
from germline.cli.reference_help import PICK as PICK
from germline.cli.reference_help import WINNER as WINNER
from germline.cli.simplification.kept import SUFFIX, simplified_candidate
from germline.db.errors import DatabaseError, MissingDatabase, UnknownRun
from germline.programs.architecture.notation import is_published
from germline.programs.optimizer.library import library, library_text
from germline.search.picking import pick
from germline.search.winner import winner

_FINGERPRINT = re.compile(r"^ *Fingerprint: \w+$", re.MULTILINE)
_IMPORT = re.compile(r"^(?:import|from) ", re.MULTILINE)
"""An exported file has both, a fingerprint in its docstring and imports; no genome has."""
_SOURCE = re.compile(r"^ *Run: (\S+)\n *Birth: (\d+)$", re.MULTILINE)
"""The run and the birth in the docstring of an exported file."""


def resolve(reference: str, url: str) -> Candidate:
    """The candidate that `reference` names.

    Raises:
        BadReference, DatabaseError: it names no genome.
        UnknownProgram: the library has no such program.
    """
    if reference.startswith("library:"):
        return Candidate(reference, "optimizer", library_text(reference.removeprefix("library:")))
    if reference == STDIN:
        text = as_genome(read_stdin(), "stdin")
        return Candidate("stdin", kind_of(text), text)
    if is_published(reference):
        label = reference if len(reference) <= 40 else f"{reference[:39]}…"
        return Candidate(label, "architecture", as_genome(reference, label))
    if is_file_reference(reference):
        text = as_genome(read_genome(Path(reference)), reference)
        if _FINGERPRINT.search(text) and _IMPORT.search(text):
            source = _SOURCE.search(text)
            name = f"{source[1]}:{source[2]}" if source else "RUN:BIRTH"
            raise BadReference(f"expected a genome, got {reference}, an exported file: name its individual, {name}")
        return Candidate(reference, kind_of(text, json=reference.endswith(".json")), text)
    if reference.endswith(SUFFIX):
        return simplified_candidate(resolve(reference.removesuffix(SUFFIX), url), url)
    name, colon, birth = reference.rpartition(":") if ":" in reference else (reference, "", "")
    if colon and birth != "best" and not (birth.isdecimal() and len(birth) < 20):
        hint = f"; did you mean library:{birth}?" if birth in library() else ""
        raise BadReference(f"expected RUN:best, or RUN:BIRTH with a birth number, got {reference!r:.80}{hint}")
    try:
        with open_store(url) as store:
            run = store.run(name)
            if not colon:
                scored = winner(store, name)
            else:
                scored = store.best(name) if birth == "best" else store.individual(name, int(birth))
            reviews = tuple(
                review
                for review in store.reviews(run.id, scored.individual.fingerprint)
                if (review.rung, review.seed) != (0, 0)
            )
    except (MissingDatabase, UnknownRun) as error:
        raise _unknown(name, error) from None
    return Candidate(f"{name}:{scored.individual.birth}", run.kind, scored.individual.genome, run, scored, reviews)


def _unknown(name: str, error: DatabaseError) -> BadReference:
    """The error for a reference that is neither a file nor in the library, and of which there is no run."""
    if looks_like_file(name):
        return no_such_file(name, f"there is no such file and no such run ({error})")
    hint = f"; did you mean library:{name}?" if name in library() else ""
    return BadReference(
        f"expected RUN, RUN:BIRTH, library:NAME, a file or - for stdin, got {name!r:.80}: {error}{hint}"
    )


def chosen(reference: str, criterion: str | None, url: str) -> Candidate:
    """The candidate that a reference names or, with a criterion, the individual that the criterion picks from the run.

    Raises:
        BadReference, BadCriterion, DatabaseError, UnknownProgram: as `resolve` and `picked` do.
    """
    return picked(reference, criterion, url) if criterion is not None else resolve(reference, url)


def picked(name: str, criterion: str, url: str) -> Candidate:
    """The candidate that a criterion picks among all architectures of a run with an ok outcome.

    Raises:
        UnknownRun: there is no such run.
        BadReference: `name` is not a run, or the run has no architecture with an ok outcome.
        BadCriterion: there is no such criterion, or no architecture meets it.
    """
    if ":" in name or name == STDIN or is_file_reference(name):
        raise BadReference(f"expected a RUN to pick from, got {name!r:.80}; leave out --pick")
    with open_store(url) as store:
        run = store.run(name)
        individuals = store.top(name) if presenter_of(run.kind).pickable else []
    scored = [(individual, individual.evaluation.objectives) for individual in individuals if individual.evaluation]
    if not scored:
        raise BadReference(
            f"expected a run of architectures with an ok outcome for --pick, got {name}, of kind {run.kind}"
        )
    chance_error = run.config.get("settings", {}).get("chance_error")
    index = pick([objectives for _, objectives in scored], criterion, chance_error)
    return resolve(f"{name}:{scored[index][0].individual.birth}", url)
