"""Policies as files."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from germline.cli.errors import UserError, exit_status, one_line
from germline.cli.exports.made import Asked, Made, weights_path
from germline.cli.policy_text import counted, told
from germline.cli.reference import BadReference, Candidate
from germline.evaluators.policy.episode_seeds import episode_seeds
from germline.evaluators.policy.export_check import (
    EPISODES,
    MOST_STEPS,
    TOLERANCE,
    check_actions,
    check_by_playing,
    environment_of,
)
from germline.evaluators.policy.player import Played
from germline.evaluators.policy.task import PolicyTask
from germline.evaluators.tasks.registry import task_class
from germline.programs.export.files import check_writable, write_together, write_whole
from germline.programs.export.origin import Origin
from germline.programs.policy.export import Verified, free_name, verified_torch
from germline.programs.policy.genome import Policy, read, write
from germline.programs.policy.onnx_file import verified_onnx
from germline.search.analysis.policy_scores import decisive_score


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
    against = _compared(verified, policy, asked.candidate, task)
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


def _compared(verified: Verified, policy: Policy, candidate: Candidate, task: PolicyTask | None) -> str:
    """What was equal, in words.

    Raises:
        ExportMismatch: something was not.
    """
    if task is None:
        check_actions(verified.module, policy)
        return "the same outputs, bit for bit, and the same actions as the search's own network"
    recorded = _recorded(candidate, policy)
    seeds = list(dict.fromkeys([*recorded, *range(EPISODES)]))[: EPISODES if task.varies else 1]
    longest = task.environment_spec().steps
    limit = min(_values(candidate).get("steps") or longest, longest)
    most = min(MOST_STEPS[policy.network.form], limit)
    checked = check_by_playing(verified.module, policy, task, seeds, most)
    cut = most < longest and any(one.steps == most for one in checked.played)
    beginnings = f", up to decision {most:,}," if cut else ""
    what = f"{counted(len(seeds), 'episode')} of {task.name}{beginnings}"
    returns = ", ".join(f"{one.total:.6g}" for one in checked.played)
    if not checked.exact:
        return (
            f"the outputs are the search's own to {TOLERANCE:g} in {what}; returns of the search's network: {returns}"
        )
    count = _values(candidate).get("episodes", 1) if task.varies else 1
    scored = checked.played[:count] if count <= len(recorded) else []
    told = "" if any(one.steps == most < limit for one in scored) else _remembered(candidate, scored, task.name)
    return f"{what} came to the returns of the search's own network: {returns}{told}"


def _remembered(candidate: Candidate, scored: Sequence[Played], task: str) -> str:
    """Whether episodes by which the search scored it come to its fitness still, in words."""
    outcome = candidate.scored.evaluation if candidate.scored else None
    if not scored or outcome is None or outcome.fitness is None:
        return ""
    first = f"the first {len(scored)}" if len(scored) > 1 else "the first"
    mean = fmean(one.total for one in scored)
    if mean != outcome.fitness:
        came = f"{first} came to {outcome.fitness:.6g} in the search, and now to {mean:.6g}"
        return f" ({came}: what it runs on or {task} has changed)"
    return f" ({first} {'are' if len(scored) > 1 else 'is'} what the search scored it by)"


def _recorded(candidate: Candidate, policy: Policy) -> list[int]:
    """Seeds of the episodes by which the search scored it, at most `EPISODES`."""
    assert candidate.run is not None
    values = _values(candidate)
    genome = write(policy) if values.get("starts", "own") == "own" else None
    return episode_seeds(candidate.run.seed, 0, 0, min(EPISODES, values.get("episodes", 1)), genome)


def _values(candidate: Candidate) -> Mapping[str, Any]:
    """The settings of its run."""
    assert candidate.run is not None
    found: Mapping[str, Any] = candidate.run.config.get("settings", {})
    return found


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
    found = decisive_score([*([outcome] if outcome else []), *candidate.reviews])
    return told(found) if found else None
