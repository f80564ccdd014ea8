"""A simplification as text on a terminal and as Markdown."""

from rich.console import Console
from rich.text import Text

from germline.cli.formatting import GOOD, QUIET, plain_table, print_table, safe
from germline.cli.genome_view import lines_view
from germline.cli.presenters.registry import presenter_of_text
from germline.cli.simplification.ablation_report import ablation_markdown, print_ablation
from germline.cli.simplification.result import Simplification
from germline.cli.simplification.tiers import TIER_NAMES
from germline.programs.optimizer import write
from germline.programs.optimizer.simplify import Step
from germline.programs.optimizer.simplify.latex import latex
from germline.programs.optimizer.simplify.proof import Check
from germline.programs.optimizer.simplify.report import size_of, what_went


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
    if result.doubt is not None:
        lines += ["", f"{result.doubt[0].upper()}{result.doubt[1:]}."]
    lines += ["", _explanation(result), "", *(ablation_markdown(result.ablation) if result.ablation else [])]
    lines += ["", "## Given", "", "```python", write(simplified.given).rstrip(), "```", ""]
    return "\n".join(lines)


def _headline(result: Simplification) -> str:
    given, program = size_of(result.simplified.given), size_of(result.program)
    size = f"{given.statements} → {program.statements} statements, {len(given.states)} → {len(program.states)} states"
    checked = "" if result.verified else "; not verified"
    return f"{size}; {TIER_NAMES[result.simplified.tier]}{checked}" + ("; ablated" if result.ablation else "")


def _difference(step: Step, check: Check) -> str:
    """The figure of a check."""
    if step.tier == "bounded":
        figures = check.by_scenario
        worst = max(figures, key=lambda name: figures[name]) if figures else "none"
        return f"within the bound; updates up to {check.difference:.2g} ({worst})"
    return f"{check.difference:.2g}" if step.rounds else "same bits"


def _explanation(result: Simplification) -> str:
    """What the columns mean."""
    return (
        "Every step was checked over 50 steps on eight distributions of gradients (normal, heavy tails, sparse, zeros, "
        "tiny, huge, whole numbers, changing scale) in double precision. `compared` is the share of steps and "
        "distributions in which nothing came near over- or underflow, rounding did not decide the update, and the "
        "update was not zero throughout; "
        "`difference` is the largest difference of two updates, as a share of the largest update. From the given "
        f"program to the simplified one, by the reference interpreter: {result.whole.difference:.2g} over "
        f"{result.whole.compared:.0%}."
    )
