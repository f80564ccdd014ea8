"""`germline draw`: draws an architecture, or a generation of policies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from germline.cli.candidate import Candidate
from germline.cli.database import open_store
from germline.cli.errors import BadReference
from germline.cli.formatting import counted
from germline.cli.genome_facts import genome_facts
from germline.cli.options import db_option, json_option
from germline.cli.output import check_free, check_svg, print_json
from germline.cli.printing import say
from germline.cli.reference import HELP, PICK, chosen
from germline.programs.architecture import drawing as architecture_drawing
from germline.programs.architecture.genome import read
from germline.programs.export.files import write_whole
from germline.programs.policy import drawing as policy_drawing
from germline.search.analysis.generation import Generation, Scatter, generation_of, scatter, walls_of


@dataclass(frozen=True)
class Subject:
    """What to draw: a candidate or, for policies, a generation of its run.

    `reference` is the text that named the candidate, `generation` a number (None: the last complete generation), and
    `url` the database.
    """

    candidate: Candidate
    reference: str
    generation: int | None
    url: str


@dataclass(frozen=True)
class Drawing:
    """The source of an SVG picture, its subject in words, and `keys`, which the JSON output has besides those of the
    candidate or in their place."""

    svg: str
    subject: str
    keys: Mapping[str, Any] = field(default_factory=dict)


@click.command(epilog=HELP)
@click.argument("reference", metavar="REF")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), required=True, help="The SVG file to write.")
@click.option("--pick", "criterion", default=None, metavar="CRITERION", help=PICK)
@click.option(
    "--generation",
    "number",
    type=click.IntRange(min=0),
    default=None,
    help="Number of the generation of policies; by default the last complete generation.",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@db_option
@json_option
def command(
    reference: str, path: Path, criterion: str | None, number: int | None, force: bool, url: str, as_json: bool
) -> None:
    """Draw the cells of an architecture, or a generation of policies, as an SVG picture.

    A generation is a scatter plot: the behaviour of each policy, such as the position where its episode ended, or its
    return against episode length if the task reports no behaviour. Points are coloured by fitness; parents of the next
    generation and the elite are marked.

    \b
    Examples:
      germline draw architecture-1 -o cells.svg
      germline draw policy-1 -o cloud.svg --generation 20
    """
    check_svg(path)
    if not force:
        check_free(path)
    candidate = chosen(reference, criterion, url)
    facts = genome_facts(candidate)
    drawing = _drawing(Subject(candidate, reference, number, url))
    write_whole(path, drawing.svg)
    if as_json:
        keys = {"path": str(path), "ref": candidate.label, "fingerprint": facts["fingerprint"], **drawing.keys}
        print_json(keys)
    else:
        say(f"wrote {path}: {drawing.subject}")


def _drawing(subject: Subject) -> Drawing:
    candidate = subject.candidate
    if candidate.kind not in _DRAWINGS:
        raise BadReference(
            f"expected an architecture to draw, or a run of policies, got {candidate.label}, which is of kind "
            f"{candidate.kind}"
        )
    return _DRAWINGS[candidate.kind](subject)


def _cells(subject: Subject) -> Drawing:
    candidate = subject.candidate
    if subject.generation is not None:
        raise BadReference(f"expected a run of policies for --generation, got {candidate.label}; leave it out")
    return Drawing(architecture_drawing.draw(read(candidate.genome)), f"the cells of {candidate.label}")


def _generation(subject: Subject) -> Drawing:
    run = subject.candidate.run
    if run is None or ":" in subject.reference:
        raise BadReference(f"expected a RUN of policies to draw a generation of, got {subject.reference!r:.80}")
    with open_store(subject.url) as store:
        generation = generation_of(store, run, subject.generation)
    plot = scatter(generation)
    title = f"{run.name}, generation {generation.number}: {run.task}"
    notes = _notes(generation, plot)
    svg = policy_drawing.draw(plot.points, title, plot.axes.x, plot.axes.y, notes, walls_of(run.task))
    keys = {"ref": run.name, "generation": generation.number}
    return Drawing(svg, f"generation {generation.number} of {run.name}", keys)


_DRAWINGS: Mapping[str, Callable[[Subject], Drawing]] = {"architecture": _cells, "policy": _generation}
"""How each kind is drawn; optimizers are not."""


def _notes(generation: Generation, plot: Scatter) -> list[str]:
    notes = []
    if plot.axes.descriptor_length > 2:
        notes.append(f"the two of {plot.axes.descriptor_length} numbers of behaviour that vary most")
    if plot.older > 0:
        notes.append(f"{counted(plot.older, 'point')} of earlier generations: parents and the elite")
    if plot.failed:
        notes.append(f"{plot.failed} of the generation failed")
    if generation.last:
        notes.append("the last generation: it has no children")
    return notes
