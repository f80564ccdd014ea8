"""`germline export`: writes a candidate as a file that stands alone."""

import sys
from difflib import get_close_matches
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from germline.cli.errors import UserError
from germline.cli.options import confirmed_task_option, db_option, json_option, size_options
from germline.cli.output import check_free, print_json, stdout_apart
from germline.cli.printing import say
from germline.cli.reference_help import HELP, PICK

if TYPE_CHECKING:
    from germline.cli.candidate import Candidate
    from germline.cli.exports.request import ExportResult

TARGETS = ("torch", "onnx", "optax")
PACKAGES = {"torch": (), "onnx": ("onnx", "onnxruntime"), "optax": ("jax", "optax")}
"""The optional packages that each target needs; the extra of Germline with them is named like the target."""

_IMPORTED = ("gymnasium", "jax", "numpy", "optax", "safetensors", "torch")
"""Modules outside the standard library that exported code imports, directly or through torch or jax."""

_TO = "Format: torch, optax for an optimizer, or onnx for an architecture (with initial weights) or a policy."


@click.command(epilog=HELP)
@click.argument("reference", metavar="REF")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), required=True, help="The file to write.")
@click.option("--to", "target", default="torch", show_default=True, metavar="TARGET", help=_TO)
@click.option("--class-name", default=None, metavar="NAME", help="Name of the class; by default derived from REF.")
@click.option("--pick", "criterion", default=None, metavar="CRITERION", help=PICK)
@click.option("--simplify", is_flag=True, help="Of an optimizer: write what germline simplify made or makes of it.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@confirmed_task_option
@size_options
@db_option
@json_option
def command(
    reference: str,
    path: Path,
    target: str,
    class_name: str | None,
    criterion: str | None,
    simplify: bool,
    force: bool,
    task: str | None,
    sizes: dict[str, Any],
    url: str,
    as_json: bool,
) -> None:
    """Write REF as a file that stands alone: for torch, optax, or ONNX.

    Every export is verified before it is written, and the file appears whole or not at all. An optimizer becomes a
    torch.optim.Optimizer, verified against the search's interpreter. With --to optax it is a function, named like the
    class, that returns an optax optimizer; it is verified step by step and under jit.

    An architecture becomes an nn.Module of its full network, verified against the search's network in size and output.
    With --to onnx it is that network in evaluation mode for any batch size, and onnxruntime must compute the same
    logits; the weights are initial weights of a fixed seed, since a search keeps no trained weights.

    A policy becomes an nn.Module that loads its weights from a .safetensors file beside it, and must play the same
    episodes to the same returns. With --to onnx it is one file, and onnxruntime must choose the same actions.

    \b
    Examples:
      germline export optimizer-1 -o my_optimizer.py --class-name MyOptimizer
      germline export optimizer-1 -o my_optax.py --to optax --simplify
      germline export architecture-1 -o net.py --pick under=3M --channels 36 --cells 20
      germline export architecture-1 -o net.onnx --to onnx
      germline export policy-1 -o agent.py
    """
    _check_target(target, path, class_name)
    _check_packages(target)
    if not force:
        check_free(path)
    # Import torch, which takes seconds; `germline export --help` and a mistake are answered without.
    from germline.cli.artifacts import record_artifact
    from germline.cli.exports.exporters import exporter_of
    from germline.cli.exports.request import ExportRequest
    from germline.cli.genome_facts import genome_facts
    from germline.cli.reference import chosen
    from germline.cli.simplification.kept import smaller
    from germline.cli.verdicts import verdict_of
    from germline.programs.export.files import check_writable, weights_path, write_verified

    candidate = chosen(reference, criterion, url)
    if simplify:
        candidate = smaller(candidate, url)
    if task is not None:
        _check_task(candidate, task)
    exporter = exporter_of(candidate, target)
    if exporter.has_weights_file:
        _check_weights_file(path, weights_path(path), force)
    with stdout_apart():
        fingerprint = genome_facts(candidate, sizes)["fingerprint"]
        check_writable(path)
        verdict = verdict_of(candidate, url)
        result = exporter.export(ExportRequest(candidate, path, class_name, sizes, fingerprint, task, verdict))
        write_verified(path, result.verified)
    verified = result.verified
    files = {path: verified.content} | ({weights_path(path): verified.weights} if verified.weights is not None else {})
    for file, content in files.items():
        record_artifact(candidate, target, file, content, url)
    if as_json:
        row = {"path": str(path), "target": target, "verified": True, "tolerance": verified.tolerance}
        row |= {"weights": str(weights_path(path))} if verified.weights is not None else {}
        row |= {"fingerprint": fingerprint, "difference": verified.difference, "class_name": verified.class_name}
        if verified.unseen_arguments is not None:
            row |= {"unseen_arguments": list(verified.unseen_arguments), "not_finite_from": verified.not_finite_from}
        print_json(row)
    else:
        _print(result, path, " and ".join(map(str, files)))


def _print(result: "ExportResult", path: Path, files: str) -> None:
    verified = result.verified
    say(f"wrote {files}: {result.description}")
    if verified.tolerance:
        say(
            f"verified against {result.comparison} to {verified.tolerance:g}: "
            f"the largest relative difference is {verified.difference:.2g}"
        )
    else:
        say(f"verified: {result.comparison}")
    if verified.not_finite_from is not None:
        say(f"not verified: no parameter of the test is finite from step {verified.not_finite_from} on")
    for name in verified.unseen_arguments or ():
        say(f"not verified: the argument {name}, since no value that was tried changes a result")
    if verified.class_name is None:
        say(f"use it: onnxruntime.InferenceSession({str(path)!r}); {result.usage}")
    elif path.stem.isidentifier() and not iskeyword(path.stem) and path.suffix == ".py":
        say(f"use it: from {path.stem} import {verified.class_name}; {result.usage}")


def _check_weights_file(path: Path, weights: Path, force: bool) -> None:
    """Raises UserError if the file of a policy does not end in .py, or the file of its weights exists and `force` is
    False."""
    if path.suffix != ".py":
        raise UserError(
            f"expected a name that ends in .py for a policy, got {path.name!r:.80}; its weights go beside it"
        )
    if not force:
        check_free(weights)


def _check_task(candidate: "Candidate", task: str) -> None:
    """Raises an error if `task` does not name the task of the candidate's run. A policy of no run may have one: its
    network may be a module of the task."""
    from germline.evaluators.tasks.registry import confirmed_name

    if candidate.run is None and candidate.kind == "policy":
        return
    if candidate.run is None:
        raise UserError(f"expected no --task for {candidate.label}, which is of no run; leave it out")
    confirmed_name(candidate.run.task, task)


def _check_packages(target: str) -> None:
    """Raises UserError if a package that a target needs is not installed. It looks for them without importing them,
    since the search for what to export takes seconds."""
    needed = PACKAGES[target]
    if missing := [name for name in needed if find_spec(name) is None]:
        verb = "is" if len(missing) == 1 else "are"
        raise UserError(
            f"expected the packages {' and '.join(needed)} for --to {target}, {' and '.join(missing)} {verb} missing; "
            f"pip install 'germline[{target}]'"
        )


def _check_target(target: str, path: Path, class_name: str | None) -> None:
    """Raises UserError if target, file name and class name do not fit together."""
    if target not in TARGETS:
        near = get_close_matches(target, TARGETS, n=1, cutoff=0.0)[0]
        raise UserError(f"expected a target out of {', '.join(TARGETS)}, got {target!r:.60}; write --to {near}")
    if target != "onnx" and path.suffix.lower() == ".onnx":
        raise UserError(
            f"expected --to onnx for {path.name!r:.80}, got --to {target}; add --to onnx, or name a .py file"
        )
    if target == "onnx" and class_name is not None:
        raise UserError("expected no --class-name with --to onnx, whose file holds no class; leave it out")
    if target == "onnx" and path.suffix.lower() != ".onnx":
        raise UserError(f"expected a name that ends in .onnx for --to onnx, got {path.name!r:.80}; write -o found.onnx")
    if path.suffix == ".py" and (path.stem in _IMPORTED or path.stem in sys.stdlib_module_names):
        raise UserError(
            f"expected a name other than that of a module that exported code imports, got {path.name!r:.80}, "
            "which Python would import instead; write -o found.py"
        )
