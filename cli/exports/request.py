"""What an export is given, and what it returns."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from germline.cli.errors import UserError, one_line
from germline.cli.reference import Candidate

if TYPE_CHECKING:
    from germline.programs.export.origin import Origin
    from germline.programs.export.verified import VerifiedExport


class ExportRequest(NamedTuple):
    """One candidate to export.

    Attributes:
        candidate: a program, architecture or policy.
        path: the file to write; its name appears in the exported code of a policy.
        given_class_name: the option --class-name, or None.
        sizes: those sizes of an architecture's network that were given as options.
        fingerprint: of the candidate.
    """

    candidate: Candidate
    path: Path
    given_class_name: str | None
    sizes: dict[str, Any]
    fingerprint: str

    def class_name(self) -> str:
        """The given name of the class, or a name made from the reference.

        Raises:
            UserError: no class can have the given name.
        """
        from germline.programs.export.names import check_class_name, class_name_for

        if self.given_class_name is None:
            scored = self.candidate.scored
            if scored is not None:
                return class_name_for(scored.run, scored.individual.birth)
            return class_name_for(Path(self.candidate.label.removeprefix("library:")).stem)
        try:
            check_class_name(self.given_class_name)
        except ValueError as error:
            raise UserError(one_line(error)) from None
        return self.given_class_name

    def origin(self) -> "Origin":
        """Run, birth, task and fitness of the candidate, as far as it has them."""
        from germline.programs.export.origin import Origin

        scored, run = self.candidate.scored, self.candidate.run
        if scored is None or run is None:
            return Origin(None, None, self.fingerprint, None, None)
        fitness = scored.evaluation.fitness if scored.evaluation else None
        return Origin(run.name, scored.individual.birth, self.fingerprint, fitness, run.task)


class ExportResult(NamedTuple):
    """A verified export, not yet written, and the words that describe it.

    Attributes:
        verified: the export.
        description: what the file holds.
        comparison: what the export was compared with; with a tolerance of 0, what was equal.
        usage: a line of code that uses it.
    """

    verified: "VerifiedExport[Any]"
    description: str
    comparison: str
    usage: str
