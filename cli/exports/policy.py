"""Policies as files."""

from dataclasses import replace

from germline.cli.errors import UserError, exit_status, one_line
from germline.cli.exports.made import Asked, Made, weights_path
from germline.cli.policy_text import told, worth
from germline.cli.reference import BadReference, Candidate
from germline.evaluators.policies.exported import MOST_STEPS, SEEDS, check_actions, check_by_playing, environment_of
from germline.evaluators.policy_task import PolicyTask
from germline.evaluators.tasks.registry import task_class
from germline.programs.export.files import check_writable, write_together, write_whole
from germline.programs.export.origin import Origin
from germline.programs.policy.export import Verified, free_name, verified_torch
from germline.programs.policy.genome import Policy, read
from germline.programs.policy.onnx_file import verified_onnx


def torch(asked: Asked) -> Made:
    """An nn.Module and its weights, which have played as the policy does."""
    name = asked.name() if asked.class_name else free_name(asked.name())
    check_writable(asked.path)
    policy, task = read(asked.candidate.genome), _task(asked.candidate)
    environment = environment_of(task) if task else None
    score = _score(asked.candidate)
    try:
        verified = verified_torch(policy, _origin(asked), name, asked.path.stem, score, environment)
    except ValueError as error:
        raise UserError(one_line(error), exit_status(error)) from None
    against = _compared(verified, policy, task)
    write_together([(weights_path(asked.path), verified.weights), (asked.path, verified.source)])
    return Made(
        verified.source,
        name,
        what=f"class {name}(nn.Module), {policy.network.parameters:,} parameters",
        against=against,
        use=f"policy = {name}(); action = policy.act(observation)",
        weights=verified.weights,
    )


def onnx(asked: Asked) -> Made:
    """One file, for which another runtime has chosen the same actions."""
    check_writable(asked.path)
    policy = read(asked.candidate.genome)
    content = verified_onnx(policy, _origin(asked), _score(asked.candidate))
    write_whole(asked.path, content)
    dtype = "uint8" if policy.network.form == "conv" else "double"
    return Made(
        content,
        None,
        what=f"an ONNX network for observations {list(policy.network.observation)}, {dtype}",
        against="onnxruntime chose the policy's actions",
        use="session.run(['action'], {'observation': observations})",
    )


def _compared(verified: Verified, policy: Policy, task: PolicyTask | None) -> str:
    """What was equal, in words.

    Raises:
        ExportMismatch: something was not.
    """
    if task is None:
        check_actions(verified.module, policy)
        return "the same outputs, bit for bit, and the same actions as the search's own network"
    played = check_by_playing(verified.module, policy, task, task.world().steps)
    most = MOST_STEPS[policy.network.form]
    beginnings = f", up to decision {most:,}," if any(one.steps == most for one in played) else ""
    returns = ", ".join(f"{one.total:.6g}" for one in played)
    return f"{len(SEEDS)} episodes of {task.name}{beginnings} came to the search's own returns: {returns}"


def _task(candidate: Candidate) -> PolicyTask | None:
    """Where it was found; None for one of no run.

    Raises:
        BadReference: its run names a task that is none for policies.
    """
    if candidate.run is None:
        return None
    task = task_class(candidate.run.task)
    if not issubclass(task, PolicyTask):
        raise BadReference(f"expected a task for policies, got {candidate.run.task}, which is for kind {task.kind}")
    return task()


def _origin(asked: Asked) -> Origin:
    """Without the fitness, which may be the luck of one episode."""
    return replace(asked.origin(), fitness=None)


def _score(candidate: Candidate) -> str | None:
    """What a policy is worth, in words."""
    outcome = candidate.scored.evaluation if candidate.scored else None
    found = worth([*([outcome] if outcome else []), *candidate.reviews])
    return told(found) if found else None
