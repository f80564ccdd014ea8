"""`germline export`: a candidate as code that stands alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from germline.cli.common import check_free, db_option, json_option, open_store, print_json, size_options
from germline.cli.errors import UserError, one_line, printable
from germline.cli.reference import HELP, PICK, Candidate, picked

if TYPE_CHECKING:
    from germline.programs.export.origin import Origin

TARGETS = ("torch",)


@click.command(epilog=HELP)
@click.argument("reference", metavar="REF")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), required=True, help="The file to write.")
@click.option("--to", "target", default="torch", show_default=True, metavar="TARGET", help=f"{', '.join(TARGETS)}.")
@click.option("--class-name", default=None, metavar="NAME", help="Name of the class; made from REF unless given.")
@click.option("--pick", "policy", default=None, metavar="POLICY", help=PICK)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@size_options
@db_option
@json_option
def command(
    reference: str,
    path: Path,
    target: str,
    class_name: str | None,
    policy: str | None,
    force: bool,
    asked: dict[str, Any],
    url: str,
    as_json: bool,
) -> None:
    """Write REF as a file that needs nothing but torch.

    An optimizer becomes a torch.optim.Optimizer, and runs beside the interpreter before it is written; an architecture
    becomes an nn.Module of its full network, and is compared with it in size and output. The file appears whole or not
    at all.

    \b
    Examples:
      germline export optimizer-1 -o my_optimizer.py --class-name MyOptimizer
      germline export architecture-1 -o net.py --pick under=3M --channels 36 --cells 20
    """
    from germline.cli.reference import resolve

    _check_target(target)
    if not force:
        check_free(path)
    candidate = picked(reference, policy, url) if policy else resolve(reference, url)
    name = _class_name(candidate, class_name)
    export = _architecture if candidate.kind == "architecture" else _optimizer
    made = export(candidate, path, name, asked)
    _record(candidate, target, path, made.source, url)
    if as_json:
        row = {"path": str(path), "target": target, "verified": True, "tolerance": made.tolerance}
        print_json({**row, "fingerprint": made.fingerprint, "difference": made.difference, "class_name": name})
        return
    click.echo(f"wrote {printable(str(path))}: class {name}({made.base})")
    click.echo(
        f"verified against {made.against} to {made.tolerance:g}: "
        f"the largest relative difference is {made.difference:.2g}"
    )
    if path.stem.isidentifier() and path.suffix == ".py":
        click.echo(f"use it: from {path.stem} import {name}; {made.use.format(name=name)}")


class Made(NamedTuple):
    """An exported file, and what there is to say of it."""

    source: str
    fingerprint: str
    difference: float
    tolerance: float
    base: str
    against: str
    use: str


def _optimizer(candidate: Candidate, path: Path, name: str, asked: dict[str, Any]) -> Made:
    from germline.cli.individuals import describe
    from germline.programs.optimizer import parse
    from germline.programs.optimizer.export import TOLERANCE, verified_torch, write_verified

    fingerprint = describe(candidate, **asked)["fingerprint"]
    program = parse(candidate.genome)
    verified = verified_torch(program, _origin(candidate, fingerprint), name)
    write_verified(path, verified.source, program, name)
    use = "optimizer = {name}(model.parameters())"
    base = "torch.optim.Optimizer"
    return Made(verified.source, fingerprint, verified.difference, TOLERANCE, base, "the interpreter", use)


def _architecture(candidate: Candidate, path: Path, name: str, asked: dict[str, Any]) -> Made:
    from germline.cli.individuals import describe, settings
    from germline.programs.architecture.export import TOLERANCE, verified_torch
    from germline.programs.architecture.genome import read
    from germline.programs.export.files import check_writable, write_whole
    from germline.search.architecture import skeleton

    check_writable(path)
    fingerprint = describe(candidate, **asked)["fingerprint"]
    size = skeleton(settings(candidate), **asked)
    try:
        verified = verified_torch(read(candidate.genome), size, _origin(candidate, fingerprint), name)
    except ValueError as error:
        raise UserError(one_line(error)) from None
    write_whole(path, verified.source)
    against = f"its network ({verified.counts.params:,} parameters, {verified.counts.macs:,} multiply-accumulates)"
    return Made(verified.source, fingerprint, verified.difference, TOLERANCE, "nn.Module", against, "net = {name}()")


def _check_target(target: str) -> None:
    from difflib import get_close_matches

    if target not in TARGETS:
        near = get_close_matches(target, TARGETS, n=1, cutoff=0.0)[0]
        raise UserError(
            printable(f"expected a target out of {', '.join(TARGETS)}, got {target!r:.60}; write --to {near}")
        )


def _class_name(candidate: Candidate, asked: str | None) -> str:
    from germline.programs.optimizer.export.names import check_class_name, class_name_for

    if asked is None:
        if candidate.scored is not None:
            return class_name_for(candidate.scored.run, candidate.scored.individual.birth)
        return class_name_for(Path(candidate.label.removeprefix("library:")).stem)
    try:
        check_class_name(asked)
    except ValueError as error:
        raise UserError(one_line(error)) from None
    return asked


def _origin(candidate: Candidate, fingerprint: str) -> "Origin":
    from germline.programs.export.origin import Origin

    if candidate.scored is None or candidate.run is None:
        return Origin(None, None, fingerprint, None, None)
    outcome = candidate.scored.evaluation
    fitness = outcome.fitness if outcome else None
    return Origin(candidate.run.name, candidate.scored.individual.birth, fingerprint, fitness, candidate.run.task)


def _record(candidate: Candidate, target: str, path: Path, source: str, url: str) -> None:
    """Notes in the run that the file was made; that it cannot be noted does not take the file back."""
    from hashlib import sha256

    from germline.db.errors import DatabaseError

    if candidate.scored is None:
        return
    written = str(path.absolute()).encode("utf-8", "replace").decode()
    digest = sha256(source.encode()).hexdigest()
    try:
        with open_store(url) as store:
            store.add_artifact(candidate.scored.run, candidate.scored.individual.birth, target, written, digest)
    except DatabaseError as error:
        click.echo(f"Warning: the file is written, but not noted in the run: {one_line(error)}", err=True)
