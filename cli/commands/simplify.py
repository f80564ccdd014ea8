"""`germline simplify`: makes an optimizer program as small as rules allow, and says what it is."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from germline.cli.artifacts import record_artifact
from germline.cli.candidate import Candidate
from germline.cli.errors import BadReference, UserError
from germline.cli.options import data_option, db_option, device_option, json_option
from germline.cli.output import check_free, console, print_json, stdout_apart
from germline.cli.presenters.registry import presenter_of
from germline.cli.printing import say
from germline.cli.reference import HELP, resolve
from germline.cli.simplification.kept import keep
from germline.cli.simplification.tiers import TIERS
from germline.programs.export.files import check_writable, write_whole
from germline.programs.optimizer.program import InvalidProgram

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
@device_option("With --ablate: device that trains models.")
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
    numbers almost everywhere, those of `bounded` within a bound. The rules do not train: a statement that changes
    the program but hardly its results on a task, such as clipping, stays.

    --ablate removes such statements too. Models are trained on the task with fresh seeds, and a statement or state is
    removed, or a constant rounded, if the 95 % interval of the mean paired worsening lies below the margin: the most
    expendable first, and always compared with the program before all removals. The result is confirmed with other
    seeds.

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
        with stdout_apart():
            result = _simplification(candidate, tier)
            if ablate and result.verified:
                measuring = {"task": task, "rung": rung, "seeds": seeds, "margin": margin, "device": device}
                result = _ablated(result, candidate, tier, measuring)
    except InvalidProgram as error:
        raise BadReference(f"{candidate.label} is not a valid genome: {error}") from None
    from germline.cli.simplification.report import markdown, print_simplification
    from germline.cli.simplification.result import kept_steps, row

    name = None
    if kept and result.verified:
        name = keep(candidate, result.text, result.fingerprint, kept_steps(result), url)
    written = None
    if path is not None and (result.verified or _is_report(path)):
        content = markdown(result) if _is_report(path) else result.text
        write_whole(path, content)
        record_artifact(candidate, "simplify", path, content, url)
        written = str(path)
    if as_json:
        print_json(row(result) | {"kept": name} | ({"path": written} if path is not None else {}))
    else:
        print_simplification(console(), result)
        if name is not None:
            say(f"kept as {name}")
        if written is not None:
            say(f"wrote {written}")
    if not result.verified:
        kept_or_written = "kept" if written is not None else "kept or written"
        raise UserError(f"{result.doubt}; no program is {kept_or_written}", 1)
    if result.doubt is not None:
        raise UserError(result.doubt, 1)


def _simplification(candidate: Candidate, tier: Any) -> Any:
    """The simplified program with its checks and the library programs like it."""
    # Imports torch, which takes seconds; `germline simplify --help` answers without.
    from germline.cli.simplification.result import simplification_of

    result = simplification_of(candidate.label, candidate.genome, tier)
    return replace(result, nearest=_nearest(result.program, candidate))


def _ablated(result: Any, candidate: Candidate, tier: Any, measuring: Mapping[str, Any]) -> Any:
    """The simplified program without what its task does not need."""
    from germline.cli.simplification.ablation import AblationOptions, ablation_report

    report = ablation_report(candidate, result.program, tier, AblationOptions(**measuring))
    return replace(result, ablation=report, nearest=_nearest(report.ablation.program, candidate))


def _nearest(program: Any, candidate: Candidate) -> Any:
    """The three library programs that are most like a program, without the candidate itself, with their cosines."""
    from germline.programs.optimizer.simplify.kinship import nearest

    return [pair for pair in nearest(program, 4) if candidate.label != f"library:{pair[0]}"][:3]


def _is_report(path: Path) -> bool:
    return path.suffix.lower() == ".md"


def _check_name(path: Path, force: bool) -> None:
    """Raises UserError if a file cannot be written under this name."""
    if path.suffix.lower() not in (".md", ".txt"):
        raise UserError(f"expected a name that ends in .md or .txt, got {path.name!r:.80}; write -o found.md")
    if not force:
        check_free(path)
