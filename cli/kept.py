"""Simplified programs that are kept with the individual of a run: recorded, and named by `…:simplified`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from germline.cli.candidate import Candidate
from germline.cli.database import open_store
from germline.cli.errors import BadReference, single_line
from germline.cli.printing import say
from germline.db.errors import DatabaseError
from germline.db.records import SimplifiedRecord

SUFFIX = ":simplified"
"""What follows a reference to an individual to name what it became by simplification."""


def kept_with(candidate: Candidate, url: str) -> SimplifiedRecord | None:
    """What a candidate became by its latest simplification; None if that is not recorded, or if it is of no run."""
    if candidate.scored is None:
        return None
    with open_store(url) as store:
        return store.simplified(candidate.scored.run, candidate.scored.individual.birth)


def simplified_candidate(original: Candidate, url: str) -> Candidate:
    """The candidate that an individual became by simplification.

    Raises:
        BadReference: no simplification of it is recorded.
    """
    record = kept_with(original, url)
    if record is None:
        raise BadReference(
            f"expected a simplified program of {original.label}, got none; run germline simplify {original.label} first"
        )
    label = f"{original.label}{SUFFIX}"
    return replace(original, label=label, genome=record.genome, scored=None, reviews=(), simplified=record)


def keep(candidate: Candidate, genome: str, fingerprint: str, steps: Mapping[str, Any], url: str) -> str | None:
    """Records what a candidate became, if it is of a run and has changed.

    Returns:
        The reference to what is recorded; None if nothing is. If recording fails, warns and returns None.
    """
    birth = candidate.birth
    if candidate.run is None or birth is None or genome == candidate.genome:
        return None
    try:
        with open_store(url) as store:
            store.add_simplified(candidate.run.name, birth, genome, fingerprint, steps)
    except DatabaseError as error:
        say(f"Warning: the simplified program is not kept with the run: {single_line(error)}", err=True)
        return None
    return f"{candidate.run.name}:{birth}{SUFFIX}"


def smaller(candidate: Candidate, url: str) -> Candidate:
    """The candidate as its latest simplification made it; if none is recorded, as rules make it now.

    Raises:
        BadReference: it is no optimizer program, or not a valid one.
    """
    if candidate.kind != "optimizer":
        raise BadReference(
            f"expected an optimizer program with --simplify, got {candidate.label}; leave --simplify out"
        )
    if kept_with(candidate, url) is not None:
        return simplified_candidate(candidate, url)
    # Imports torch, which takes seconds.
    from germline.programs.optimizer import InvalidProgram, parse, trace, write
    from germline.programs.optimizer.fingerprint import fingerprint
    from germline.programs.optimizer.simplify import simplify
    from germline.programs.optimizer.simplify.proof import proved

    try:
        program = proved(simplify(parse(candidate.genome)))[0].program
    except InvalidProgram as error:
        raise BadReference(f"{candidate.label} is not a valid genome: {error}") from None
    text = write(program)
    if candidate.birth is None:
        return replace(candidate, genome=text)
    record = SimplifiedRecord(candidate.birth, text, fingerprint(trace(program)), {}, "")
    return replace(candidate, genome=text, scored=None, reviews=(), simplified=record)


def simplified_row(reference: str, record: SimplifiedRecord) -> dict[str, Any]:
    """A simplified program for `--json`."""
    return {
        "ref": reference,
        "operator": "simplify",
        "parents": [record.birth],
        "fingerprint": record.fingerprint,
        "genome": record.genome,
        "created": record.created,
        **record.steps,
    }
