"""`germline simplify`: makes an optimizer program as small as rules allow, and says what it is."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from germline.cli.artifacts import record_artifact
from germline.cli.candidate import Candidate
from germline.cli.errors import BadReference, UserError
from germline.cli.kept import keep
from germline.cli.options import data_option, db_option, device_option, json_option
from germline.cli.output import check_free, console, print_json, stdout_apart
from germline.cli.presenters.registry import presenter_of
from germline.cli.printing import say
from germline.cli.reference import HELP, resolve
from germline.programs.export.files import check_writable, write_whole
from germline.programs.optimizer.program import InvalidProgram
from germline.programs.optimizer.text import parse, write

TIERS = ("exact", "almost", "bounded")

_MAX_TIER = "The weakest rules to use: exact, almost (everywhere, where nothing overflows), or bounded."
_OUTPUT = "A file to write: a report if its name ends in .md, the program alone if it ends in .txt."


@click.command(epilog=HELP)
@click.argument("reference", metavar="REF")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), default=None, help=_OUTPUT)
@click.option("--max-tier", "tier", type=click.Choice(TIERS), default="bounded", show_default=True, help=_MAX_TIER)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@click.option(
    "--keep/--no-keep", "kept", default=True, help="Keep the program with the run, as REF:simplified.  [default: keep]"
)
@click.option("--ablate", is_flag=True, help="Remove and round what the task does not need; see below.")
@click.option("--task", default=None, help="With --ablate: the task; by default that of the run, or digits-mlp.")
@click.option("--rung", type=click.IntRange(min=0), default=None, help="With --ablate: rung of the task.  [default: 1]")
@click.option(
    "--seeds",
    type=click.IntRange(2, 1_000),
    default=None,
    help="With --ablate: fresh seeds for the steps, and as many others for the result.  [default: 8]",
)
@click.option(
    "--margin",
    type=click.FloatRange(0.0, 1.0),
    default=None,
    help="With --ablate: the largest worsening, as a share of the program's loss.  [default: 0.02]",
)
@device_option
@data_option(expose=False)
@db_option
@json_option
def command(
    reference: str,
    path: Path | None,
    tier: Any,
    force: bool,
    kept: bool,
    ablate: bool,
    task: str | None,
    rung: int | None,
    seeds: int | None,
    margin: float | None,
    device: str,
    url: str,
    as_json: bool,
) -> None:
    """Make an optimizer program as small as rules allow, and say what it is.

    Every step is the application of one rule, and is checked: the programs before and after it run side by side on
    several distributions of gradients. Rules of the tier `exact` hold for all numbers, those of `almost` for real
    numbers almost everywhere, those of `bounded` within a bound. The rules never try anything on a task: what only
    hardly matters there, such as the clipping of gradients, stays.

    With --ablate, that goes too. Models are trained on the task with fresh seeds, and a statement or state is removed,
    or a constant rounded, if the 95 % interval of the mean paired worsening lies below the margin: the most expendable
    first, and always compared with the program before all removals. The result is confirmed with other seeds.

    Prints the program, its steps, a LaTeX formula, and what the program is.

    \b
    Examples:
      germline simplify library:lion_raw
      germline simplify optimizer-1 -o found.md
      germline simplify optimizer-1:42 --max-tier exact -o smaller.txt
      germline simplify optimizer-1 --ablate --task text-transformer -o found.md
    """
    given = {"--task": task, "--rung": rung, "--seeds": seeds, "--margin": margin}
    if not ablate and (without := [name for name, value in given.items() if value is not None]):
        raise UserError(f"expected --ablate with {without[0]}, which says how to measure; add it, or leave it out")
    if path is not None:
        _check_name(path, force)
        check_writable(path)
    candidate = resolve(reference, url)
    if candidate.kind != "optimizer":
        noun = presenter_of(candidate.kind).noun
        raise BadReference(f"expected an optimizer program to simplify, got {candidate.label}, which is {noun}")
    try:
        program = parse(candidate.genome)
        with stdout_apart():
            simplification = _simplification(candidate.label, program, tier)
            if ablate:
                measuring = {"task": task, "rung": rung, "seeds": seeds, "margin": margin, "device": device}
                simplification = _ablated(simplification, candidate, tier, measuring)
    except InvalidProgram as error:
        raise BadReference(f"{candidate.label} is not a valid genome: {error}") from None
    from germline.cli.simplification import kept_steps, markdown, print_simplification, row

    name = None
    if kept:
        smaller = write(simplification.program)
        name = keep(candidate, smaller, simplification.fingerprint, kept_steps(simplification), url)
    if path is not None:
        is_report = path.suffix.lower() == ".md"
        content = markdown(simplification) if is_report else write(simplification.program)
        write_whole(path, content)
        record_artifact(candidate, "simplify", path, content, url)
    if as_json:
        print_json(row(simplification) | {"kept": name} | ({"path": str(path)} if path is not None else {}))
    else:
        print_simplification(console(), simplification)
        if name is not None:
            say(f"kept as {name}")
        if path is not None:
            say(f"wrote {path}")
    if simplification.failed is not None:
        raise UserError("a step failed its check, which is a mistake in a rule; the program is simplified up to it", 1)


def _simplification(label: str, program: Any, tier: Any) -> Any:
    """The simplified program with its checks."""
    # Imports torch, which takes seconds; `germline simplify --help` answers without.
    from germline.cli.simplification import Simplification
    from germline.programs.optimizer.simplify import simplify
    from germline.programs.optimizer.simplify.kinship import nearest
    from germline.programs.optimizer.simplify.proof import prove_whole, proved

    unchecked = simplify(program, tier)
    simplified, checks = proved(unchecked)
    holding = len(simplified.steps)
    failed = unchecked.steps[holding] if holding < len(unchecked.steps) else None
    whole = prove_whole(simplified)
    similar = [pair for pair in nearest(simplified.program, 4) if label != f"library:{pair[0]}"][:3]
    return Simplification(label, simplified, checks, whole, similar, failed)


def _ablated(simplification: Any, candidate: Candidate, tier: Any, measuring: Mapping[str, Any]) -> Any:
    """The simplified program without what its task does not need."""
    from germline.cli.ablation import AblationOptions, ablation_report
    from germline.programs.optimizer.simplify.kinship import nearest

    report = ablation_report(candidate, simplification.program, tier, AblationOptions(**measuring))
    return replace(simplification, ablation=report, nearest=nearest(report.ablation.program))


def _check_name(path: Path, force: bool) -> None:
    """Raises UserError if a file cannot be written under this name."""
    if path.suffix.lower() not in (".md", ".txt"):
        raise UserError(f"expected a name that ends in .md or .txt, got {path.name!r:.80}; write -o found.md")
    if not force:
        check_free(path)
