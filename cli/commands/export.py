"""`germline export`: a candidate as code that stands alone."""

import sys
from collections.abc import Callable
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from germline.cli.common import check_free, db_option, json_option, open_store, print_json, size_options, stdout_apart
from germline.cli.errors import UserError, one_line, printable
from germline.cli.reference import HELP, PICK, Candidate, chosen

if TYPE_CHECKING:
    from germline.cli.exports.request import ExportRequest, ExportResult

TARGETS = ("torch", "onnx")

EXPORTS = {"optimizer": ("torch",), "architecture": TARGETS, "policy": TARGETS}
"""What each kind can become: functions of the module of its name in `cli/exports`."""

_USED = ("gymnasium", "numpy", "safetensors", "torch")
"""Modules beside the standard library's that exported code imports, itself or through torch."""

_TO = "torch; or onnx, for a policy, or for an architecture with initial weights."


@click.command(epilog=HELP)
@click.argument("reference", metavar="REF")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), required=True, help="The file to write.")
@click.option("--to", "target", default="torch", show_default=True, metavar="TARGET", help=_TO)
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
    """Write REF as a file that stands alone: of torch, or ONNX.

    An optimizer becomes a torch.optim.Optimizer, and runs beside the interpreter before it is written; an architecture
    becomes an nn.Module of its full network, and is compared with it in size and output. With --to onnx it becomes that
    network in evaluation, for a batch of any size, and another runtime has to come to the same logits; the weights are
    initial ones of a fixed seed, since a search keeps none that were trained. The file appears whole or not at all.

    A policy becomes an nn.Module that loads its weights from a .safetensors file beside its own, and plays the same
    episodes to the same returns before it is written. With --to onnx it is one file, and another runtime has to choose
    the same actions.

    \b
    Examples:
      germline export optimizer-1 -o my_optimizer.py --class-name MyOptimizer
      germline export architecture-1 -o net.py --pick under=3M --channels 36 --cells 20
      germline export architecture-1 -o net.onnx --to onnx
      germline export policy-1 -o agent.py
    """
    from germline.cli.exports.request import ExportRequest
    from germline.cli.individuals import describe
    from germline.programs.export.files import check_writable, weights_path, write_verified

    _check_target(target, path, class_name)
    if not force:
        check_free(path)
    candidate = chosen(reference, policy, url)
    if candidate.kind == "policy" and target == "torch":
        _check_pair(path, force)
    with stdout_apart():
        fingerprint = describe(candidate, **asked)["fingerprint"]
        exporter = _exporter(candidate, target)
        check_writable(path)
        result = exporter(ExportRequest(candidate, path, class_name, asked, fingerprint))
        write_verified(path, result.verified)
    verified = result.verified
    files = {path: verified.content} | ({weights_path(path): verified.weights} if verified.weights is not None else {})
    for written, content in files.items():
        _record(candidate, target, written, content, url)
    if as_json:
        row = {"path": str(path), "target": target, "verified": True, "tolerance": verified.tolerance}
        row |= {"weights": str(weights_path(path))} if verified.weights is not None else {}
        row |= {"fingerprint": fingerprint, "difference": verified.difference, "class_name": verified.class_name}
        print_json(row)
    else:
        _print(result, path, " and ".join(printable(str(one)) for one in files))


def _print(result: "ExportResult", path: Path, files: str) -> None:
    verified = result.verified
    click.echo(f"wrote {files}: {result.description}")
    if verified.tolerance:
        click.echo(
            f"verified against {result.comparison} to {verified.tolerance:g}: "
            f"the largest relative difference is {verified.difference:.2g}"
        )
    else:
        click.echo(f"verified: {result.comparison}")
    if verified.class_name is None:
        click.echo(printable(f"use it: onnxruntime.InferenceSession({str(path)!r}); {result.usage}"))
    elif path.stem.isidentifier() and not iskeyword(path.stem) and path.suffix == ".py":
        click.echo(f"use it: from {path.stem} import {verified.class_name}; {result.usage}")


def _exporter(candidate: Candidate, target: str) -> "Callable[[ExportRequest], ExportResult]":
    if target not in EXPORTS.get(candidate.kind, ()):
        raise UserError(
            f"expected an architecture for --to onnx, or a policy, got {printable(candidate.label)} of kind "
            f"{printable(candidate.kind)}; write --to torch"
        )
    export: Callable[[ExportRequest], ExportResult] = getattr(
        import_module(f"germline.cli.exports.{candidate.kind}"), target
    )
    return export


def _check_pair(path: Path, force: bool) -> None:
    """A policy in torch is two files."""
    from germline.programs.export.files import weights_path

    if path.suffix != ".py":
        raise UserError(
            printable(f"expected a name that ends in .py for a policy, got {path.name!r:.80}; its weights go beside")
        )
    if not force:
        check_free(weights_path(path))


def _check_target(target: str, path: Path, class_name: str | None) -> None:
    from difflib import get_close_matches

    if target not in TARGETS:
        near = get_close_matches(target, TARGETS, n=1, cutoff=0.0)[0]
        raise UserError(
            printable(f"expected a target out of {', '.join(TARGETS)}, got {target!r:.60}; write --to {near}")
        )
    if target != "onnx" and path.suffix.lower() == ".onnx":
        raise UserError(
            printable(f"expected --to onnx for {path.name!r:.80}, got --to {target}; add --to onnx, or name a .py file")
        )
    if target == "onnx" and class_name is not None:
        raise UserError("expected no --class-name with --to onnx, whose file holds no class; leave it away")
    if target == "onnx" and path.suffix.lower() != ".onnx":
        raise UserError(
            printable(f"expected a name that ends in .onnx for --to onnx, got {path.name!r:.80}; write -o found.onnx")
        )
    if path.suffix == ".py" and (path.stem in _USED or path.stem in sys.stdlib_module_names):
        raise UserError(
            f"expected a name that no module has which exported code needs, got {path.name!r:.80}, which Python would "
            "import in place of that; write -o found.py"
        )


def _record(candidate: Candidate, target: str, path: Path, content: str | bytes, url: str) -> None:
    """Notes in the run that the file was made; that it cannot be noted does not take the file back."""
    from hashlib import sha256

    from germline.db.errors import DatabaseError

    if candidate.scored is None:
        return
    written = str(path.absolute()).encode("utf-8", "replace").decode()
    digest = sha256(content.encode() if isinstance(content, str) else content).hexdigest()
    try:
        with open_store(url) as store:
            store.add_artifact(candidate.scored.run, candidate.scored.individual.birth, target, written, digest)
    except DatabaseError as error:
        click.echo(f"Warning: the file is written, but not noted in the run: {one_line(error)}", err=True)
