"""`germline export`: a candidate as code that stands alone."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from germline.cli.common import db_option, json_option, open_store, print_json
from germline.cli.errors import UserError, one_line, printable
from germline.cli.reference import HELP, Candidate

if TYPE_CHECKING:
    from germline.programs.optimizer.export import Origin, Verified

TARGETS = ("torch",)


@click.command(epilog=HELP)
@click.argument("reference", metavar="REF")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), required=True, help="The file to write.")
@click.option("--to", "target", default="torch", show_default=True, metavar="TARGET", help=f"{', '.join(TARGETS)}.")
@click.option("--class-name", default=None, metavar="NAME", help="Name of the class; made from REF unless given.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@db_option
@json_option
def command(
    reference: str, path: Path, target: str, class_name: str | None, force: bool, url: str, as_json: bool
) -> None:
    """Write REF as a PyTorch optimizer that needs nothing but torch.

    The file is run beside the interpreter before it is written, and appears whole or not at all.

    \b
    Example:
      germline export optimizer-1 -o my_optimizer.py --class-name MyOptimizer
    """
    from germline.cli.individuals import describe
    from germline.cli.reference import resolve
    from germline.programs.optimizer import parse
    from germline.programs.optimizer.export import TOLERANCE, verified_torch, write_verified

    _check_target(target)
    if not force:
        _check_free(path)
    candidate = resolve(reference, url)
    origin = _origin(candidate, describe(candidate)["fingerprint"])
    name = _class_name(candidate, class_name)
    program = parse(candidate.genome)
    verified = verified_torch(program, origin, name)
    write_verified(path, verified.source, program, name)
    _record(candidate, target, path, verified, url)
    if as_json:
        print_json(
            {
                "path": str(path),
                "target": target,
                "verified": True,
                "tolerance": TOLERANCE,
                "fingerprint": origin.fingerprint,
                "difference": verified.difference,
                "class_name": name,
            }
        )
        return
    click.echo(f"wrote {printable(str(path))}: class {name}(torch.optim.Optimizer)")
    click.echo(
        f"verified against the interpreter to {TOLERANCE:g}: "
        f"the largest relative difference is {verified.difference:.2g}"
    )
    if path.stem.isidentifier() and path.suffix == ".py":
        click.echo(f"use it: from {path.stem} import {name}; optimizer = {name}(model.parameters())")


def _check_target(target: str) -> None:
    from difflib import get_close_matches

    if target not in TARGETS:
        near = get_close_matches(target, TARGETS, n=1, cutoff=0.0)[0]
        raise UserError(
            printable(f"expected a target out of {', '.join(TARGETS)}, got {target!r:.60}; write --to {near}")
        )


def _check_free(path: Path) -> None:
    try:
        taken = path.is_file()
    except OSError:  # a path that cannot even be looked at: writing will say why
        return
    if taken:
        raise UserError(printable(f"{path} exists already; name another file, or add --force to replace it"))


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
    from germline.programs.optimizer.export import Origin

    if candidate.scored is None or candidate.run is None:
        return Origin(None, None, fingerprint, None, None)
    outcome = candidate.scored.evaluation
    fitness = outcome.fitness if outcome else None
    return Origin(candidate.run.name, candidate.scored.individual.birth, fingerprint, fitness, candidate.run.task)


def _record(candidate: Candidate, target: str, path: Path, verified: "Verified", url: str) -> None:
    """Notes in the run that the file was made; that it cannot be noted does not take the file back."""
    from hashlib import sha256

    from germline.db.errors import DatabaseError

    if candidate.scored is None:
        return
    written = str(path.absolute()).encode("utf-8", "replace").decode()
    digest = sha256(verified.source.encode()).hexdigest()
    try:
        with open_store(url) as store:
            store.add_artifact(candidate.scored.run, candidate.scored.individual.birth, target, written, digest)
    except DatabaseError as error:
        click.echo(f"Warning: the file is written, but not noted in the run: {one_line(error)}", err=True)
