"""`germline draw`: a picture of a candidate."""

from pathlib import Path
from typing import Any

import click

from germline.cli.candidate import Candidate
from germline.cli.errors import BadReference, printable
from germline.cli.options import db_option, json_option
from germline.cli.output import check_free, check_svg, print_json
from germline.cli.reference import HELP, PICK, chosen


@click.command(epilog=HELP)
@click.argument("reference", metavar="REF")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), required=True, help="The SVG file to write.")
@click.option("--pick", "policy", default=None, metavar="POLICY", help=PICK)
@click.option(
    "--generation", "number", type=click.IntRange(min=0), default=None, help="Of policies; the last complete one."
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@db_option
@json_option
def command(
    reference: str, path: Path, policy: str | None, number: int | None, force: bool, url: str, as_json: bool
) -> None:
    """Draw the cells of an architecture, or a generation of policies, as an SVG picture.

    A generation is a cloud: where each policy's episode ended (or, if the task does not say, its return over its
    length), coloured by fitness, with the parents of the next generation and the elite marked.

    \b
    Examples:
      germline draw architecture-1 -o cells.svg
      germline draw policy-1 -o cloud.svg --generation 20
    """
    from germline.cli.genome_facts import genome_facts
    from germline.programs.export.files import write_whole

    check_svg(path)
    if not force:
        check_free(path)
    candidate = chosen(reference, policy, url)
    facts = genome_facts(candidate)
    if candidate.kind == "policy":
        content, row, told = _generation(candidate, reference, number, url)
    elif candidate.kind == "architecture":
        if number is not None:
            raise BadReference(f"expected a run of policies for --generation, got {candidate.label}; leave it away")
        content, row, told = _cells(candidate)
    else:
        raise BadReference(
            f"expected an architecture to draw, or a run of policies, got {candidate.label}, which is of kind "
            f"{candidate.kind}"
        )
    write_whole(path, content)
    if as_json:
        print_json({"path": str(path), "ref": candidate.label, "fingerprint": facts["fingerprint"], **row})
    else:
        click.echo(f"wrote {printable(str(path))}: {printable(told)}")


def _cells(candidate: Candidate) -> tuple[str, dict[str, Any], str]:
    from germline.programs.architecture.drawing import draw
    from germline.programs.architecture.genome import read

    return draw(read(candidate.genome)), {}, f"the cells of {candidate.label}"


def _generation(candidate: Candidate, reference: str, number: int | None, url: str) -> tuple[str, dict[str, Any], str]:
    from germline.cli.generation import cloud, generation, walls
    from germline.programs.policy.drawing import draw

    if candidate.run is None or ":" in reference:
        raise BadReference(f"expected a RUN of policies to draw a generation of, got {reference!r:.80}")
    run = candidate.run
    found = generation(run, number, url)
    drawn = cloud(found)
    title = f"{run.name}, generation {found.number}: {run.task}"
    content = draw(drawn.points, printable(title), drawn.x, drawn.y, drawn.notes, walls(run.task))
    return content, {"ref": run.name, "generation": found.number}, f"generation {found.number} of {run.name}"
