"""`germline draw`: a picture of a candidate."""

from pathlib import Path

import click

from germline.cli.common import check_free, db_option, json_option, print_json
from germline.cli.errors import printable
from germline.cli.reference import HELP, PICK, BadReference, chosen


@click.command(epilog=HELP)
@click.argument("reference", metavar="REF")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), required=True, help="The SVG file to write.")
@click.option("--pick", "policy", default=None, metavar="POLICY", help=PICK)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@db_option
@json_option
def command(reference: str, path: Path, policy: str | None, force: bool, url: str, as_json: bool) -> None:
    """Draw the cells of an architecture as an SVG picture.

    \b
    Example:
      germline draw architecture-1 -o cells.svg
    """
    from germline.cli.individuals import describe
    from germline.programs.architecture.drawing import draw
    from germline.programs.architecture.genome import read
    from germline.programs.export.files import write_whole

    if not force:
        check_free(path)
    candidate = chosen(reference, policy, url)
    facts = describe(candidate)
    if candidate.kind != "architecture":
        raise BadReference(
            f"expected an architecture to draw, got {candidate.label}, which is of kind {candidate.kind}"
        )
    write_whole(path, draw(read(candidate.genome)))
    if as_json:
        print_json({"path": str(path), "ref": candidate.label, "fingerprint": facts["fingerprint"]})
    else:
        click.echo(f"wrote {printable(str(path))}: the cells of {printable(candidate.label)}")
