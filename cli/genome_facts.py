"""The facts of a candidate's genome: its fingerprint and its size."""

from collections.abc import Mapping
from typing import Any

from germline.cli.candidate import Candidate
from germline.cli.errors import BadReference
from germline.cli.presenters.registry import presenter_of
from germline.search.kinds import kind_named


def genome_facts(candidate: Candidate, sizes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The facts of a candidate's genome, with the fingerprint that its run recorded.

    Args:
        candidate: a genome of any kind.
        sizes: of an architecture's network, in place of its run's: `channels`, `cells`, `classes`, `image`.

    Raises:
        BadReference: its text is not a valid genome, or its kind has no `sizes`.
    """
    sizes = sizes or {}
    presenter = presenter_of(candidate.kind)
    if sizes and not presenter.has_size_options:
        raise BadReference(
            f"expected no {', '.join(sizes)} for {candidate.label}, which is {presenter.noun}: these are of "
            "architectures"
        )
    kind = kind_named(candidate.kind)
    try:
        facts = kind.describe(candidate.genome, candidate.settings, **sizes)
    except ValueError as error:
        raise BadReference(f"{candidate.label} is not a valid genome: {error}") from None
    if candidate.scored is None:
        return facts
    # A later version may compute another fingerprint, but the run's outcomes are stored under the recorded fingerprint.
    return {**facts, "fingerprint": candidate.scored.individual.fingerprint}
