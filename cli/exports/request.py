"""The input and the result of an export."""

from pathlib import Path
from typing import Any, NamedTuple

from germline.cli.candidate import Candidate
from germline.cli.errors import UserError, single_line
from germline.programs.export.names import check_class_name, class_name_for
from germline.programs.export.origin import Origin
from germline.programs.export.verified import VerifiedExport


class ExportRequest(NamedTuple):
    """A candidate to export, and options.

    Attributes:
        candidate: a program, architecture or policy.
        path: the file to write; its name appears in the exported code of a policy.
        given_class_name: the value of --class-name, or None.
        sizes: the given options of an architecture's size, by name: `channels`, `cells`, `classes`, `image`.
        fingerprint: the fingerprint of the candidate.
        given_task: the value of --task, the name of the task of the candidate's run, or None.
        verdict: what the latest tuned comparison found of it, in phrases.
    """

    candidate: Candidate
    path: Path
    given_class_name: str | None
    sizes: dict[str, Any]
    fingerprint: str
    given_task: str | None
    verdict: tuple[str, ...] = ()

    def class_name(self) -> str:
        """The given name of the class, or a name derived from the reference.

        Raises:
            UserError: the given name is not valid for a class.
        """
        if self.given_class_name is None:
            scored = self.candidate.scored
            if scored is not None:
                return class_name_for(scored.run, scored.individual.birth)
            if self.candidate.run is not None and self.candidate.birth is not None:
                return class_name_for(self.candidate.run.name, self.candidate.birth)
            return class_name_for(Path(self.candidate.label.removeprefix("library:")).stem)
        try:
            check_class_name(self.given_class_name)
        except ValueError as error:
            raise UserError(single_line(error)) from None
        return self.given_class_name

    def origin(self) -> Origin:
        """Run, birth, fingerprint, fitness and task of the candidate, and how it was simplified; None for what it does
        not have."""
        candidate = self.candidate
        run, outcome = candidate.run, candidate.scored.evaluation if candidate.scored else None
        return Origin(
            run=run.name if run else None,
            birth=candidate.birth if run else None,
            fingerprint=self.fingerprint,
            fitness=outcome.fitness if outcome else None,
            task=run.task if run else None,
            simplified_from=candidate.simplified_from,
            simplified_by=candidate.simplified_by,
            verdict=self.verdict,
        )


class ExportResult(NamedTuple):
    """A verified export, not yet written, and texts that describe it.

    Attributes:
        verified: the export.
        description: the content of the file.
        comparison: the reference of the verification; with a tolerance of 0, a sentence about what was equal.
        usage: a line of code that uses the file.
    """

    verified: VerifiedExport[Any]
    description: str
    comparison: str
    usage: str
