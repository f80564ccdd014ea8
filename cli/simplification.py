"""A simplification as rows of JSON, as text on a terminal, and as Markdown."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from germline.cli.ablation_report import AblationReport, ablation_markdown, ablation_row, print_ablation
from germline.cli.formatting import BAD, GOOD, QUIET, plain_table, print_table, safe
from germline.cli.genome_view import lines_view
from germline.cli.presenters.registry import presenter_of_text
from germline.programs.optimizer import Program, trace, write
from germline.programs.optimizer.fingerprint import fingerprint
from germline.programs.optimizer.simplify import Simplified, Step
from germline.programs.optimizer.simplify.latex import latex
from germline.programs.optimizer.simplify.proof import Check
from germline.programs.optimizer.simplify.report import paragraph, size_of, what_went

TIER_NAMES = {
    "exact": "exact",
    "almost": "almost everywhere",
    "bounded": "within a bound",
}


@dataclass(frozen=True)
class Simplification:
    """What `germline simplify` shows.

    Attributes:
        label: the reference.
        simplified: the program with its steps.
        checks: of each step.
        whole: of the given program against the simplified one.
        nearest: names and cosines of similar library programs.
        failed: the step whose check failed, which was left out with all that follow; None without one.
        ablation: what was removed and rounded after the simplification; None without --ablate.
    """

    label: str
    simplified: Simplified
    checks: tuple[Check, ...]
    whole: Check
    nearest: Sequence[tuple[str, float]]
    failed: Step | None = None
    ablation: AblationReport | None = None

    @property
    def program(self) -> Program:
        """The program at last."""
        return self.ablation.ablation.program if self.ablation else self.simplified.program

    @property
    def summary(self) -> str:
        """A paragraph about that program."""
        return paragraph(Simplified(self.simplified.given, self.program, ()), self.nearest)

    @property
    def fingerprint(self) -> str:
        """The fingerprint of that program."""
        return fingerprint(trace(self.program))


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
        "failed": result.failed.name if result.failed else None,
        "formula": latex(result.program),
        "summary": result.summary,
        "nearest": [{"ref": f"library:{name}", "cosine": cosine} for name, cosine in result.nearest],
        **({"ablation": ablation_row(result.ablation)} if result.ablation else {}),
    }


def print_simplification(out: Console, result: Simplification) -> None:
    """Prints the program, the steps that led to it, its formula and a summary."""
    simplified = result.simplified
    text = write(result.program)
    presenter = presenter_of_text(text)
    out.print(Text.assemble(safe(result.label, "bold"), "  ", safe(_headline(result), QUIET)))
    out.print()
    out.print(lines_view(presenter.lines(text)))
    out.print()
    if simplified.steps:
        table = plain_table("step", "went", "holds", "compared", "difference")
        for step, check in zip(simplified.steps, result.checks, strict=True):
            table.add_row(
                safe(step.name),
                safe(what_went(step)),
                safe(TIER_NAMES[step.tier], GOOD if step.tier == "exact" else ""),
                safe(f"{check.compared:.0%}", QUIET),
                safe(_difference(step, check)),
            )
        print_table(out, table)
        out.print()
    if result.failed is not None:
        out.print(safe(_failure(result.failed), BAD))
        out.print()
    if result.ablation is not None:
        print_ablation(out, result.ablation)
        out.print()
    for line in latex(result.program).splitlines():
        out.print(safe(line))
    out.print()
    out.print(safe(result.summary))


def markdown(result: Simplification) -> str:
    """A report in Markdown."""
    simplified = result.simplified
    lines = [f"# {result.label}, simplified", "", result.summary, ""]
    lines += ["```python", write(result.program).rstrip(), "```", "", "$$", latex(result.program), "$$", ""]
    lines += ["## Steps", ""]
    if simplified.steps:
        lines += ["| step | rule | went | holds | compared | difference |", "|---|---|---|---|---|---|"]
        for step, check in zip(simplified.steps, result.checks, strict=True):
            rule = step.says.replace("|", "\\|")
            lines.append(
                f"| {step.name} | {rule} | {what_went(step)} | {TIER_NAMES[step.tier]} | {check.compared:.0%} | "
                f"{_difference(step, check)} |"
            )
    else:
        lines.append("No rule makes the program smaller.")
    if result.failed is not None:
        lines += ["", _failure(result.failed)]
    lines += ["", _explanation(result), "", *(ablation_markdown(result.ablation) if result.ablation else [])]
    lines += ["", "## Given", "", "```python", write(simplified.given).rstrip(), "```", ""]
    return "\n".join(lines)


def _headline(result: Simplification) -> str:
    given, program = size_of(result.simplified.given), size_of(result.program)
    size = f"{given.statements} → {program.statements} statements, {len(given.states)} → {len(program.states)} states"
    return f"{size}; {TIER_NAMES[result.simplified.tier]}" + ("; ablated" if result.ablation else "")


def _difference(step: Step, check: Check) -> str:
    """The figure of a check."""
    if step.tier == "bounded":
        figures = check.by_scenario
        worst = max(figures, key=lambda name: figures[name]) if figures else "none"
        return f"within the bound; updates up to {check.difference:.2g} ({worst})"
    return f"{check.difference:.2g}" if step.rounds else "same bits"


def _failure(step: Step) -> str:
    return f"the step {step.name!r} failed its check and was left out, with those after it; please report the program"


def _explanation(result: Simplification) -> str:
    """What the columns mean."""
    return (
        "Every step was checked over 50 steps on eight distributions of gradients (normal, heavy tails, sparse, zeros, "
        "tiny, huge, whole numbers, changing scale) in double precision. `compared` is the share of steps and "
        "distributions in which nothing came near over- or underflow and rounding did not decide the update; "
        "`difference` is the largest difference of two updates, as a share of the largest update. From the given "
        f"program to the simplified one, by the reference interpreter: {result.whole.difference:.2g} over "
        f"{result.whole.compared:.0%}."
    )
