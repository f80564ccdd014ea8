"""`germline export`: a candidate as code that stands alone."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from germline.cli.common import check_free, db_option, json_option, open_store, print_json, size_options
from germline.cli.errors import UserError, exit_status, one_line, printable
from germline.cli.reference import HELP, PICK, Candidate, chosen

if TYPE_CHECKING:
    from germline.programs.architecture.counts import Counts
    from germline.programs.export.origin import Origin

TARGETS = ("torch", "onnx")

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
    _check_target(target, path, class_name)
    if not force:
        check_free(path)
    candidate = chosen(reference, policy, url)
    if candidate.kind == "policy" and target == "torch":
        if path.suffix != ".py":
            raise UserError(
                printable(
                    f"expected a name that ends in .py for a policy, got {path.name!r:.80}; its weights go beside"
                )
            )
        if not force:
            check_free(_weights(path))
    made = _exporter(candidate, target)(candidate, path, class_name, asked)
    _record(candidate, target, path, made.content, url)
    if made.weights is not None:
        _record(candidate, target, _weights(path), made.weights, url)
    if as_json:
        row = {"path": str(path), "target": target, "verified": True, "tolerance": made.tolerance}
        row |= {"weights": str(_weights(path))} if made.weights is not None else {}
        print_json(
            {**row, "fingerprint": made.fingerprint, "difference": made.difference, "class_name": made.class_name}
        )
        return
    beside = f" and {printable(str(_weights(path)))}" if made.weights is not None else ""
    click.echo(f"wrote {printable(str(path))}{beside}: {made.what}")
    if made.tolerance:
        click.echo(
            f"verified against {made.against} to {made.tolerance:g}: "
            f"the largest relative difference is {made.difference:.2g}"
        )
    else:
        click.echo(f"verified: {made.against}")
    if made.class_name is None:
        click.echo(printable(f"use it: onnxruntime.InferenceSession({str(path)!r}); {made.use}"))
    elif path.stem.isidentifier() and path.suffix == ".py":
        click.echo(f"use it: from {path.stem} import {made.class_name}; {made.use}")


class Made(NamedTuple):
    """An exported file, and what there is to say of it; `class_name` is None for one that holds no class.

    With a tolerance of 0 `against` says what was equal, else what it was compared with; `weights` are those beside it.
    """

    content: str | bytes
    fingerprint: str
    difference: float
    tolerance: float
    class_name: str | None
    what: str
    against: str
    use: str
    weights: bytes | None = None


Exporter = Callable[[Candidate, Path, str | None, dict[str, Any]], Made]


def _exporter(candidate: Candidate, target: str) -> Exporter:
    if target == "onnx":
        if candidate.kind not in ("architecture", "policy"):
            raise UserError(
                f"expected an architecture for --to onnx, or a policy, got {printable(candidate.label)} of kind "
                f"{printable(candidate.kind)}; write --to torch"
            )
        return _policy_onnx if candidate.kind == "policy" else _onnx
    return {"architecture": _architecture, "policy": _policy}.get(candidate.kind, _optimizer)


def _optimizer(candidate: Candidate, path: Path, class_name: str | None, asked: dict[str, Any]) -> Made:
    from germline.cli.individuals import describe
    from germline.programs.optimizer import parse
    from germline.programs.optimizer.export import TOLERANCE, verified_torch, write_verified

    name = _class_name(candidate, class_name)
    fingerprint = describe(candidate, **asked)["fingerprint"]
    program = parse(candidate.genome)
    verified = verified_torch(program, _origin(candidate, fingerprint), name)
    write_verified(path, verified.source, program, name)
    return Made(
        content=verified.source,
        fingerprint=fingerprint,
        difference=verified.difference,
        tolerance=TOLERANCE,
        class_name=name,
        what=f"class {name}(torch.optim.Optimizer)",
        against="the interpreter",
        use=f"optimizer = {name}(model.parameters())",
    )


def _architecture(candidate: Candidate, path: Path, class_name: str | None, asked: dict[str, Any]) -> Made:
    from germline.cli.individuals import describe, settings
    from germline.programs.architecture.export import TOLERANCE, free_name, verified_torch
    from germline.programs.architecture.genome import read
    from germline.programs.export.files import check_writable, write_whole
    from germline.search.architecture import skeleton

    name = _class_name(candidate, class_name)
    name = name if class_name else free_name(name)
    check_writable(path)
    fingerprint = describe(candidate, **asked)["fingerprint"]
    architecture = read(candidate.genome)
    size = skeleton(settings(candidate), architecture, **asked)
    try:
        verified = verified_torch(architecture, size, _origin(candidate, fingerprint), name)
    except ValueError as error:
        raise UserError(one_line(error)) from None
    write_whole(path, verified.source)
    return Made(
        content=verified.source,
        fingerprint=fingerprint,
        difference=verified.difference,
        tolerance=TOLERANCE,
        class_name=name,
        what=f"class {name}(nn.Module)",
        against=_network(verified.counts),
        use=f"net = {name}()",
    )


def _onnx(candidate: Candidate, path: Path, class_name: str | None, asked: dict[str, Any]) -> Made:
    from germline.cli.individuals import describe, settings
    from germline.programs.architecture.genome import read
    from germline.programs.architecture.onnx_file import TOLERANCE, WEIGHTS, verified_onnx
    from germline.programs.export.files import check_writable, write_whole
    from germline.search.architecture import skeleton

    check_writable(path)
    fingerprint = describe(candidate, **asked)["fingerprint"]
    architecture = read(candidate.genome)
    size = skeleton(settings(candidate), architecture, **asked)
    verified = verified_onnx(architecture, size, _origin(candidate, fingerprint))
    write_whole(path, verified.content)
    return Made(
        content=verified.content,
        fingerprint=fingerprint,
        difference=verified.difference,
        tolerance=TOLERANCE,
        class_name=None,
        what=f"an ONNX network for images {list(size.image)}; its weights are {WEIGHTS}",
        against=_network(verified.counts),
        use="session.run(['logits'], {'images': images})",
    )


def _policy(candidate: Candidate, path: Path, class_name: str | None, asked: dict[str, Any]) -> Made:
    from germline.cli.individuals import describe
    from germline.evaluators.policies.exported import MOST_STEPS, SEEDS, check_actions, check_by_playing
    from germline.programs.export.files import check_writable, write_together
    from germline.programs.policy.export import free_name, verified_torch
    from germline.programs.policy.genome import read

    name = _class_name(candidate, class_name)
    name = name if class_name else free_name(name)
    check_writable(path)
    fingerprint = describe(candidate, **asked)["fingerprint"]
    policy = read(candidate.genome)
    try:
        verified = verified_torch(policy, _policy_origin(candidate, fingerprint), name, path.stem, _score(candidate))
    except ValueError as error:
        raise UserError(one_line(error), exit_status(error)) from None
    if candidate.run is None:
        check_actions(verified.module, policy)
        against = "the same outputs, bit for bit, and the same actions as the search's own network"
    else:
        from germline.evaluators.policy_task import PolicyTask
        from germline.evaluators.tasks.registry import task_class

        task = task_class(candidate.run.task)
        assert issubclass(task, PolicyTask)
        played = check_by_playing(verified.module, policy, task(), task.world().steps)
        told = ", ".join(f"{one.total:.6g}" for one in played)
        most = MOST_STEPS[policy.network.form]
        beginnings = f", up to decision {most:,}," if any(one.steps == most for one in played) else ""
        against = f"{len(SEEDS)} episodes of {candidate.run.task}{beginnings} came to the search's own returns: {told}"
    write_together([(_weights(path), verified.weights), (path, verified.source)])
    return Made(
        content=verified.source,
        fingerprint=fingerprint,
        difference=0.0,
        tolerance=0.0,
        class_name=name,
        what=f"class {name}(nn.Module), {policy.network.parameters:,} parameters",
        against=against,
        use=f"policy = {name}(); action = policy.act(observation)",
        weights=verified.weights,
    )


def _policy_onnx(candidate: Candidate, path: Path, class_name: str | None, asked: dict[str, Any]) -> Made:
    from germline.cli.individuals import describe
    from germline.programs.export.files import check_writable, write_whole
    from germline.programs.policy.genome import read
    from germline.programs.policy.onnx_file import verified_onnx

    check_writable(path)
    fingerprint = describe(candidate, **asked)["fingerprint"]
    policy = read(candidate.genome)
    content = verified_onnx(policy, _policy_origin(candidate, fingerprint), _score(candidate))
    write_whole(path, content)
    return Made(
        content=content,
        fingerprint=fingerprint,
        difference=0.0,
        tolerance=0.0,
        class_name=None,
        what=f"an ONNX network for observations {list(policy.network.observation)}, "
        + ("uint8" if policy.network.form == "conv" else "double"),
        against="onnxruntime chose the policy's actions",
        use="session.run(['action'], {'observation': observations})",
    )


def _weights(path: Path) -> Path:
    """Where the weights of an exported policy lie."""
    return path.with_suffix(".safetensors")


def _policy_origin(candidate: Candidate, fingerprint: str) -> "Origin":
    """Without the fitness, which may be the luck of one episode."""
    from dataclasses import replace

    return replace(_origin(candidate, fingerprint), fitness=None)


def _score(candidate: Candidate) -> str | None:
    """What a policy is worth, in words."""
    from germline.cli.policy_text import counted, interval, with_interval, worth

    outcome = candidate.scored.evaluation if candidate.scored else None
    found = worth([*([outcome] if outcome else []), *candidate.reviews])
    if found is None:
        return None
    episodes = counted(round(found.measures.get("episodes", 0)), "episode")
    return f"{with_interval(found.fitness, interval(found))} over {episodes}"


def _network(counts: "Counts") -> str:
    return f"its network ({counts.params:,} parameters, {counts.macs:,} multiply-accumulates)"


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
