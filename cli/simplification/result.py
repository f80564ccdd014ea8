"""A simplification: what came out of a program, how it was checked, and its rows of JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from germline.cli.simplification.ablation_report import AblationReport, ablation_row
from germline.programs.optimizer import Program, parse, trace, write
from germline.programs.optimizer.fingerprint import fingerprint
from germline.programs.optimizer.simplify import Simplified, Step, Tier, simplify
from germline.programs.optimizer.simplify.latex import latex
from germline.programs.optimizer.simplify.proof import Check, prove_whole, proved
from germline.programs.optimizer.simplify.report import paragraph, size_of, what_went
from germline.programs.optimizer.simplify.trajectory import STEPS


@dataclass(frozen=True)
class Simplification:
    """What `germline simplify` shows.

    Attributes:
        label: the reference.
        simplified: the program with its steps.
        checks: of each step.
        whole: of the given program against the simplified one.
        failed: the step whose check failed, which was left out with all that follow; None without one.
        nearest: names and cosines of similar library programs.
        ablation: what was removed and rounded after the simplification; None without --ablate.
    """

    label: str
    simplified: Simplified
    checks: tuple[Check, ...]
    whole: Check
    failed: Step | None = None
    nearest: Sequence[tuple[str, float]] = ()
    ablation: AblationReport | None = None

    @property
    def program(self) -> Program:
        """The program at last."""
        return self.ablation.ablation.program if self.ablation else self.simplified.program

    @property
    def text(self) -> str:
        """The text of that program."""
        return write(self.program)

    @property
    def summary(self) -> str:
        """A paragraph about that program."""
        return paragraph(Simplified(self.simplified.given, self.program, ()), self.nearest)

    @property
    def fingerprint(self) -> str:
        """The fingerprint of that program."""
        return fingerprint(trace(self.program))

    @property
    def verified(self) -> bool:
        """True if the program before the ablation was compared with the given one and agrees, or is the given one.

        After a step within a bound, agreement says only that something could be compared.
        """
        return not self.simplified.steps or self.whole.verified

    @property
    def doubt(self) -> str | None:
        """What went wrong in the checks, in a sentence; None if nothing did."""
        if not self.verified and not self.whole.holds:
            return (
                f"the simplified program of {self.label} differs from the given one within {STEPS} steps, by up to "
                f"{self.whole.difference:.2g} of an update, which is a mistake in a rule; please report the program"
            )
        if not self.verified:
            return (
                f"the simplification of {self.label} is not verified, because nothing could be compared in {STEPS} "
                "steps: updates are not finite, come near over- or underflow, or are decided by rounding"
            )
        if self.failed is not None:
            return (
                f"the step {self.failed.name!r} failed its check, which is a mistake in a rule; it was left out, with "
                "those after it; please report the program"
            )
        return None


def simplification_of(label: str, genome: str, tier: Tier) -> Simplification:
    """Simplifies a program and checks every step.

    Raises:
        InvalidProgram: the text is no valid program.
    """
    unchecked = simplify(parse(genome), tier)
    simplified, checks = proved(unchecked)
    holding = len(simplified.steps)
    failed = unchecked.steps[holding] if holding < len(unchecked.steps) else None
    return Simplification(label, simplified, checks, prove_whole(simplified), failed)


def kept_steps(result: Simplification) -> dict[str, Any]:
    """How the program became smaller, as it is kept with a run."""
    names = ("rule", "says", "tier", "went", "program")
    return {
        "tier": result.simplified.tier,
        "steps": [{name: step[name] for name in names} for step in row(result)["steps"]],
        "ablation": ablation_row(result.ablation) if result.ablation else None,
    }


def row(result: Simplification) -> dict[str, Any]:
    """The keys of the JSON output."""
    simplified = result.simplified
    steps = [
        {
            "rule": step.name,
            "says": step.says,
            "tier": step.tier,
            "same_bits": not step.rounds and step.tier != "bounded",
            "went": what_went(step),
            "check": asdict(check),
            "program": write(step.after),
        }
        for step, check in zip(simplified.steps, result.checks, strict=True)
    ]
    return {
        "ref": result.label,
        "tier": simplified.tier,
        "given": asdict(size_of(simplified.given)) | {"program": write(simplified.given)},
        "simplified": asdict(size_of(simplified.program)) | {"program": write(simplified.program)},
        "steps": steps,
        "check": asdict(result.whole),
        "verified": result.verified,
        "failed": result.failed.name if result.failed else None,
        "formula": latex(result.program),
        "summary": result.summary,
        "nearest": [{"ref": f"library:{name}", "cosine": cosine} for name, cosine in result.nearest],
        **({"ablation": ablation_row(result.ablation)} if result.ablation else {}),
    }
