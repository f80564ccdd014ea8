"""Simplified programs that are kept with the individual of a run: recorded, and named by `…:simplified`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from germline.cli.candidate import Candidate
from germline.cli.database import open_store
from germline.cli.errors import BadReference, UserError, single_line
from germline.cli.printing import say
from germline.cli.simplification.tiers import how_simplified
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
        BadReference: it belongs to no run, or no simplification of it is recorded.
    """
    if original.scored is None:
        raise BadReference(
            f"expected RUN or RUN:BIRTH before {SUFFIX}, got {original.label}, with which nothing is kept; "
            f"leave {SUFFIX} out, or write germline export --simplify"
        )
    record = kept_with(original, url)
    if record is None:
        raise BadReference(
            f"expected a simplified program of {original.label}, got none; run germline simplify {original.label} first"
        )
    return replace(
        _as_simplified(original, record.genome, record),
        label=f"{original.label}{SUFFIX}",
        simplified_by=how_simplified(record.steps),
    )


def _as_simplified(original: Candidate, genome: str, record: SimplifiedRecord | None) -> Candidate:
    """The candidate with a simplified genome, which has no scores."""
    return replace(original, genome=genome, scored=None, reviews=(), simplified=record, simplified_from=original.label)


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
        UserError: what the rules make of it now could not be verified.
    """
    if candidate.kind != "optimizer":
        raise BadReference(
            f"expected an optimizer program with --simplify, got {candidate.label}; leave --simplify out"
        )
    if kept_with(candidate, url) is not None:
        return simplified_candidate(candidate, url)
    # Imports torch, which takes seconds.
    from germline.cli.simplification.result import kept_steps, simplification_of
    from germline.programs.optimizer import InvalidProgram

    try:
        result = simplification_of(candidate.label, candidate.genome, "bounded")
    except InvalidProgram as error:
        raise BadReference(f"{candidate.label} is not a valid genome: {error}") from None
    if not result.verified:
        raise UserError(f"{result.doubt}; leave --simplify out", 1)
    if not result.simplified.steps:
        return candidate
    birth, steps = candidate.birth, kept_steps(result)
    record = None if birth is None else SimplifiedRecord(birth, result.text, result.fingerprint, steps, "")
    return replace(_as_simplified(candidate, result.text, record), simplified_by=how_simplified(steps))


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
