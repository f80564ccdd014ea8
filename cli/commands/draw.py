"""`germline draw`: draws an architecture, a front, a generation or map of policies, or the course of optimizers."""

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
from germline.cli.output import print_json
from germline.cli.pictures.formats import check_picture, picture_format
from germline.cli.printing import say
from germline.cli.reference import HELP, PICK, chosen
from germline.db.records import RunRecord
from germline.evaluators.tasks.registry import confirmed_name
from germline.programs.architecture.cell_layout import cell_drawing
from germline.programs.architecture.drawing import draw as cells_as_svg
from germline.programs.architecture.genome import read
from germline.programs.export.files import write_whole
from germline.search.analysis.ancestor_line import line_of
from germline.search.analysis.front_plot import front_plot
from germline.search.analysis.generation import (
    Generation,
    Scatter,
    behaviour_names_of,
    generation_of,
    scatter,
    walls_of,
)
from germline.search.analysis.map_plot import map_plot
from germline.search.analysis.map_scores import layout_of
from germline.search.analysis.search_history import search_history


@dataclass(frozen=True)
class Subject:
    """What to draw: a candidate or, for policies, a generation or the map of its run.

    `reference` is the text that named the candidate, and `generation` the number of a generation; None: the map of a
    run that has a map, else the last generation with children. `task` is the task of its run as the user named it
    (None: not named), `front` whether the front of the run is wanted, `url` the database, and `file_format` that of
    the picture.
    """

    candidate: Candidate
    reference: str
    generation: int | None
    task: str | None
    front: bool
    url: str
    file_format: str


@dataclass(frozen=True)
class Drawing:
    """A picture's file, its subject in words, and `keys`, which the JSON output has besides those of the candidate or
    in their place."""

    content: str | bytes
    subject: str
    keys: Mapping[str, Any] = field(default_factory=dict)


@click.command(epilog=HELP)
@click.argument("reference", metavar="REF")
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="The picture's file: .svg, .png or .pdf.",
)
@click.option("--pick", "criterion", default=None, metavar="CRITERION", help=PICK)
@click.option("--front", is_flag=True, help="Draw the front of a run of architectures in place of the cells.")
@click.option(
    "--generation",
    "number",
    type=click.IntRange(min=0),
    default=None,
    help="Number of the generation of policies; by default the last whose children were born.",
)
@click.option(
    "--task", default=None, help="The task of a run of policies again, if it is a class in a file: it names the axes."
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
@db_option
@json_option
def command(
    reference: str,
    path: Path,
    criterion: str | None,
    front: bool,
    number: int | None,
    task: str | None,
    force: bool,
    url: str,
    as_json: bool,
) -> None:
    """Draw a picture of an architecture, or of a run, as SVG, PNG or PDF.

    Of an architecture: its cells. With --front, the front of its run: all individuals by their objectives, and the
    winner with its line of ancestors.

    Of a run of optimizers: the fitness of births, the best so far, the line of ancestors of the winner (or of
    RUN:BIRTH) with the operator of each step and what each operator brought, and the reviews.

    Of a run of policies: a generation. Each policy stands where its behaviour is, such as the position where its
    episodes ended, or by return and episode length if the task reports no behaviour. Colours show fitness; parents of
    the next generation and the elite are marked.

    Of a run with a map (strategy map-elites), unless --generation is given: the map. Of two mapped behaviours each cell
    has the colour of its fitness; of a single behaviour it is a bar; of more, each policy is a line across an axis for
    each behaviour.

    \b
    Examples:
      germline draw architecture-1 -o cells.svg
      germline draw architecture-1 --front -o front.pdf
      germline draw optimizer-1 -o course.png
      germline draw policy-1 -o cloud.svg --generation 20
      germline draw map-1 -o map.svg
    """
    check_picture(path, force)
    candidate = chosen(reference, criterion, url)
    facts = genome_facts(candidate)
    drawing = _drawing(Subject(candidate, reference, number, task, front, url, picture_format(path)))
    write_whole(path, drawing.content)
    if as_json:
        keys = {"path": str(path), "ref": candidate.label, "fingerprint": facts["fingerprint"], **drawing.keys}
        print_json(keys)
    else:
        say(f"wrote {path}: {drawing.subject}")


def _drawing(subject: Subject) -> Drawing:
    kind, label = subject.candidate.kind, subject.candidate.label
    if subject.generation is not None and kind != "policy":
        raise BadReference(f"expected a run of policies for --generation, got {label}; leave it out")
    if subject.task is not None and kind != "policy":
        raise BadReference(f"expected a run of policies for --task, got {label}; leave it out")
    if subject.front and kind != "architecture":
        raise BadReference(f"expected a run of architectures for --front, got {label}; leave it out")
    return _front(subject) if subject.front else _DRAWINGS[kind](subject)


# What follows imports what it draws with when it draws: matplotlib takes half a second.


def _cells(subject: Subject) -> Drawing:
    architecture = read(subject.candidate.genome)
    words = f"the cells of {subject.candidate.label}"
    if subject.file_format == "svg":
        return Drawing(cells_as_svg(architecture), words)
    from germline.cli.pictures.cells_picture import cells_picture
    from germline.cli.pictures.page import picture_bytes

    return Drawing(picture_bytes(cells_picture(cell_drawing(architecture)), subject.file_format), words)


def _front(subject: Subject) -> Drawing:
    from germline.cli.pictures.front_picture import front_picture
    from germline.cli.pictures.page import picture_bytes

    run, birth = subject.candidate.run, subject.candidate.birth
    if run is None or birth is None:
        raise BadReference(f"expected a RUN of architectures to draw the front of, got {subject.reference!r:.80}")
    with open_store(subject.url) as store:
        line = line_of(store.lineage(run.name, birth), birth)
        winner = store.winner(run.name)
        marked = "winner" if winner is not None and winner.individual.birth == birth else f"birth {birth:,}"
        plot = front_plot(run, store.top(run.name), [step.scored for step in line], marked)
    content = picture_bytes(front_picture(plot, f"{run.name}: the front on {run.task}"), subject.file_format)
    return Drawing(content, f"the front of {run.name}", {"front": len(plot.front)})


def _course(subject: Subject) -> Drawing:
    from germline.cli.pictures.history_picture import history_picture
    from germline.cli.pictures.page import picture_bytes

    run, birth = subject.candidate.run, subject.candidate.birth
    if run is None or birth is None:
        raise BadReference(f"expected a RUN of optimizers to draw the course of, got {subject.reference!r:.80}")
    with open_store(subject.url) as store:
        history = search_history(store, run, birth)
    content = picture_bytes(history_picture(history, f"{run.name}: optimizer on {run.task}"), subject.file_format)
    return Drawing(content, f"the course of {run.name}, with the line to birth {birth}")


def _generation(subject: Subject) -> Drawing:
    from germline.cli.pictures.generation_picture import generation_picture
    from germline.cli.pictures.page import picture_bytes

    run = subject.candidate.run
    if run is None or ":" in subject.reference:
        raise BadReference(f"expected a RUN of policies to draw a generation of, got {subject.reference!r:.80}")
    if subject.task is not None:
        confirmed_name(run.task, subject.task)
    if subject.generation is None and layout_of(run) is not None:
        return _map(subject, run)
    with open_store(subject.url) as store:
        generation = generation_of(store, run, subject.generation)
    plot = scatter(generation, behaviour_names_of(run.task, confirmed=subject.task is not None))
    title = f"{run.name}, generation {generation.number}: {run.task}"
    picture = generation_picture(plot, title, _notes(generation, plot), walls_of(run.task))
    keys = {"ref": run.name, "generation": generation.number}
    content = picture_bytes(picture, subject.file_format)
    return Drawing(content, f"generation {generation.number} of {run.name}", keys)


def _map(subject: Subject, run: RunRecord) -> Drawing:
    from germline.cli.pictures.map_picture import map_picture
    from germline.cli.pictures.page import picture_bytes

    with open_store(subject.url) as store:
        plot = map_plot(store, run, behaviour_names_of(run.task, confirmed=subject.task is not None))
    picture = map_picture(plot, f"{run.name}: the map on {run.task}", walls_of(run.task))
    occupied, cells = len(plot.occupants), plot.layout.cells.count
    keys = {"ref": run.name, "generation": plot.block, "cells": cells, "occupied": occupied}
    keys |= {"coverage": plot.coverage, "qd_score": plot.score, "qd_offset": plot.offset}
    words = f"the map of {run.name}, {occupied:,} of {counted(cells, 'cell')} occupied"
    return Drawing(picture_bytes(picture, subject.file_format), words, keys)


_DRAWINGS: Mapping[str, Callable[[Subject], Drawing]] = {
    "optimizer": _course,
    "architecture": _cells,
    "policy": _generation,
}
"""How each kind is drawn."""


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
