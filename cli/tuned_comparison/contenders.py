"""The contenders of a tuned comparison, from what the user named."""

from collections.abc import Sequence
from dataclasses import replace

from germline.cli.candidate import Candidate
from germline.cli.errors import BadReference, UserError
from germline.cli.presenters.registry import presenter_of
from germline.cli.reference import resolve
from germline.evaluators.optimizer.torch_classes import is_class_name
from germline.evaluators.tasks.name_grammar import names_of
from germline.programs.optimizer import InvalidProgram, parse, write
from germline.programs.optimizer.graph import live_program
from germline.search.knob_tuning.program_box import ProgramKnobs
from germline.search.leaderboard.protocol import BASELINES
from germline.search.tuned_comparison.contender import Contender, class_contender, program_contender


def contenders_of(judged: Sequence[Candidate | str], against: Sequence[str], url: str) -> list[Contender]:
    """The contenders: what is judged, then what it is compared with, then the start programs of its runs. Programs that
    are the same up to names and dead statements stand once.

    Args:
        judged: candidates of kind optimizer, and names of classes.
        against: references and names of classes, which may be separated by commas; `baselines` stands for `BASELINES`.
        url: the database.

    Raises:
        BadReference, DatabaseError, UnknownProgram: a reference names no optimizer.
        InvalidClass: a name is that of no optimizer of torch.
        UserError: nothing is left to compare with.
    """
    names = [name for text in against for name in text.split(",") if name.strip()]
    expanded = [part for name in names for part in (BASELINES if name == "baselines" else (name.strip(),))]
    contenders = _judged(judged)
    for name in dict.fromkeys(expanded):
        if is_class_name(name):
            contenders.setdefault(name, class_contender(name, judged=False))
            continue
        candidate = resolve(name, url)
        _require_optimizer(candidate)
        _add(contenders, candidate, candidate.genome, name, judged=False)
    for each in judged:
        start = None if isinstance(each, str) else getattr(each.settings, "start", None)
        if start is not None and not isinstance(each, str):
            _add(contenders, each, start, f"start of {each.label}", judged=False, searched=False)
    if all(contender.judged for contender in contenders.values()):
        raise UserError("expected --against something else than the candidates themselves, such as library:adamw")
    return list(contenders.values())


def judged_contenders(
    judged: Sequence[Candidate | str], besides: Sequence[Contender], tuned: bool = True
) -> list[Contender]:
    """The contenders of what is judged beside others that are measured already; programs that are the same up to names
    and dead statements stand once. Those that are not tuned may be among the others, which are.

    Raises:
        BadReference: a genome is invalid.
        InvalidClass: a name is that of no optimizer of torch.
        UserError: one of them is among the others already.
    """
    labels = {write(live_program(c.knobs.program)): c.label for c in besides if isinstance(c.knobs, ProgramKnobs)}
    contenders = _judged(judged)
    if not tuned:
        return [replace(each, label=f"{each.label}, untuned", tuned=False) for each in contenders.values()]
    for key, contender in contenders.items():
        if key in labels:
            raise UserError(
                f"expected another optimizer than the baselines, got {contender.label}, which is {labels[key]}"
            )
    return list(contenders.values())


def require_optimizers(judged: Sequence[Candidate | str]) -> None:
    """Raises UserError if a candidate is no optimizer."""
    for candidate in judged:
        if not isinstance(candidate, str) and candidate.kind != "optimizer":
            raise UserError(f"expected optimizers, got {candidate.label}, of kind {candidate.kind}")


def _judged(judged: Sequence[Candidate | str]) -> dict[str, Contender]:
    """The contenders of what is judged, by their live programs or the names of their classes."""
    contenders: dict[str, Contender] = {}
    for each in judged:
        if isinstance(each, str):
            contenders.setdefault(each, class_contender(each, judged=True))
        else:
            _add(contenders, each, each.genome, each.label, judged=True)
    return contenders


def _add(
    contenders: dict[str, Contender], candidate: Candidate, text: str, label: str, judged: bool, searched: bool = True
) -> None:
    """Adds the contender of a program, unless the program is there already."""
    try:
        key = write(live_program(parse(text)))
        # The fitness of a run on several tasks is a gain over a reference, not a loss.
        one_task = candidate.run is not None and len(names_of(candidate.run.task)) == 1
        search_loss = -candidate.fitness if searched and one_task and candidate.fitness is not None else None
        contenders.setdefault(key, program_contender(label, text, judged, search_loss))
    except InvalidProgram as error:
        raise BadReference(f"{label} is not a valid genome: {error}") from None


def _require_optimizer(candidate: Candidate) -> None:
    if candidate.kind != "optimizer":
        noun = presenter_of(candidate.kind).noun
        raise BadReference(f"expected an optimizer to compare with, got {candidate.label}, which is {noun}")
