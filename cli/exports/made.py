"""What an export is asked for, and what there is to say of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from germline.cli.candidate import Candidate
from germline.cli.errors import UserError, single_line

if TYPE_CHECKING:
    from germline.programs.export.origin import Origin


class Asked(NamedTuple):
    """What to export, to which file; `sizes` are those of an architecture's network that were given."""

    candidate: Candidate
    path: Path
    class_name: str | None
    sizes: dict[str, Any]
    fingerprint: str

    def name(self) -> str:
        """The name of the class: the one that was asked for, or one made from the reference.

        Raises:
            UserError: no class can have it.
        """
        from germline.programs.optimizer.export.names import check_class_name, class_name_for

        if self.class_name is None:
            scored = self.candidate.scored
            if scored is not None:
                return class_name_for(scored.run, scored.individual.birth)
            return class_name_for(Path(self.candidate.label.removeprefix("library:")).stem)
        try:
            check_class_name(self.class_name)
        except ValueError as error:
            raise UserError(single_line(error)) from None
        return self.class_name

    def origin(self) -> "Origin":
        from germline.programs.export.origin import Origin

        scored, run = self.candidate.scored, self.candidate.run
        if scored is None or run is None:
            return Origin(None, None, self.fingerprint, None, None)
        fitness = scored.evaluation.fitness if scored.evaluation else None
        return Origin(run.name, scored.individual.birth, self.fingerprint, fitness, run.task)


class Made(NamedTuple):
    """An exported file, and what there is to say of it; `class_name` is None for one that holds no class.

    With a tolerance of 0 `against` says what was equal, else what it was compared with; `weights` are those beside it.
    """

    content: str | bytes
    class_name: str | None
    what: str
    against: str
    use: str
    difference: float = 0.0
    tolerance: float = 0.0
    weights: bytes | None = None


def weights_path(path: Path) -> Path:
    """Where the weights of an exported policy lie."""
    return path.with_suffix(".safetensors")
