"""Exports of policies."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from germline.cli.candidate import Candidate
from germline.cli.errors import BadReference, UserError, exit_status, single_line
from germline.cli.exports.request import ExportRequest, ExportResult
from germline.cli.formatting import counted
from germline.cli.policy_score_text import mean_return_text
from germline.evaluators.policy.compatibility import own_misfit
from germline.evaluators.policy.episode_seeds import episode_seeds
from germline.evaluators.policy.export_check import (
    EPISODES,
    MOST_STEPS,
    TOLERANCE,
    check_actions,
    check_by_playing,
    gymnasium_id_of,
    interface_of,
)
from germline.evaluators.policy.player import EpisodeResult
from germline.evaluators.policy.task import PolicyTask
from germline.evaluators.tasks.name_grammar import absolute_name
from germline.evaluators.tasks.registry import confirmed_name, task_class
from germline.programs.export.origin import Origin
from germline.programs.export.verified import VerifiedExport
from germline.programs.policy.export import free_class_name, verified_torch
from germline.programs.policy.genome import Policy, read, write
from germline.programs.policy.interface import SAME, Interface
from germline.programs.policy.onnx_file import verified_onnx
from germline.programs.policy.own_export import OwnCode, verified_own
from germline.search.analysis.policy_scores import decisive_score
from germline.search.kinds.policy import PolicySettings


def torch(request: ExportRequest) -> ExportResult:
    """Exports an nn.Module and its weights.

    For random observations its outputs have to equal those of the search's own network, bit for bit, and it has to
    choose the same actions. If the candidate has a run, the module also plays episodes of the run's task, with the same
    results; where an episode differs, outputs may differ by `TOLERANCE` at most.
    """
    name = request.class_name() if request.given_class_name else free_class_name(request.class_name())
    policy, task = read(request.candidate.genome), _task(request)
    environment = gymnasium_id_of(task) if task else None
    interface = interface_of(task) if task else SAME
    described = (_origin(request), name, request.path.stem, _score(request.candidate), environment, interface)
    code = _own_code(policy, task, request)
    try:
        verified = verified_own(policy, code, *described) if code else verified_torch(policy, *described)
    except ValueError as error:
        raise UserError(single_line(error), exit_status(error)) from None
    created = f"policy = {name}({'' if code is None or code.module else 'network'})"
    reset = "policy.reset(); " if code and code.recurrent else ""
    return ExportResult(
        verified,
        description=f"class {name}(nn.Module), {policy.network.parameter_count:,} parameters",
        comparison=_compared(verified, policy, request.candidate, task, interface),
        usage=f"{created}; {reset}action = policy.act(observation)",
    )


def onnx(request: ExportRequest) -> ExportResult:
    """Exports a single ONNX file, verified by the actions that onnxruntime chooses."""
    policy = read(request.candidate.genome)
    if policy.network.form == "own":
        raise UserError(
            "expected a built-in network for --to onnx, got a module of your own; export it for torch, and the class "
            "with torch.onnx"
        )
    dtype = "uint8" if policy.network.form == "conv" else "double"
    return ExportResult(
        verified_onnx(policy, _origin(request), _score(request.candidate)),
        description=f"an ONNX network for observations {list(policy.network.observation)}, {dtype}",
        comparison="onnxruntime chose the policy's actions",
        usage="session.run(['action'], {'observation': observations})",
    )


def _own_code(policy: Policy, task: PolicyTask | None, request: ExportRequest) -> OwnCode | None:
    """What the exported file has to know of the module of an own network; None for built-in networks.

    Raises:
        UserError: no task is named whose module it could be, or the module does not fit the policy.
    """
    if policy.network.form != "own":
        return None
    if task is None:
        raise UserError(
            f"expected the task whose module is the network of {request.candidate.label}, got none; "
            "add --task FILE.py:Class"
        )
    if misfit := own_misfit(policy.network, type(task)):
        raise UserError(misfit)
    from germline.evaluators.policy.own_code import own_code

    return own_code(type(task), request.path.stem)


def _compared(
    verified: VerifiedExport[str], policy: Policy, candidate: Candidate, task: PolicyTask | None, interface: Interface
) -> str:
    """Compares an exported network with the policy on its own task, and returns the result as text.

    Raises:
        ExportMismatch: outputs, actions or episodes differ.
    """
    if task is None:
        check_actions(verified.module, policy)
        return "the same outputs, bit for bit, and the same actions as the search's own network"
    search_seeds = _search_seeds(candidate, policy) if candidate.run else []
    seeds = list(dict.fromkeys([*search_seeds, *range(EPISODES)]))[: EPISODES if task.varies else 1]
    longest = task.environment_spec().steps
    settings = _settings(candidate)
    limit = min(settings.steps or longest, longest)
    most = min(MOST_STEPS[policy.network.form], limit)
    checked = check_by_playing(verified.module, policy, task, seeds, most, interface)
    cut = most < longest and any(episode.steps == most for episode in checked.results)
    beginnings = f", up to decision {most:,}," if cut else ""
    episodes = f"{counted(len(seeds), 'episode')} of {task.name}{beginnings}"
    returns = ", ".join(f"{episode.total_reward:.6g}" for episode in checked.results)
    if not checked.exact:
        outputs = f"the outputs are the search's own to {TOLERANCE:g} in {episodes}"
        return f"{outputs}; returns of the search's network: {returns}"
    count = settings.episodes if task.varies else 1
    scored = checked.results[:count] if search_seeds and count <= len(search_seeds) else []
    cut_short = any(episode.steps == most < limit for episode in scored)
    note = "" if cut_short else _fitness_note(candidate, scored, task.name)
    return f"{episodes} had the returns of the search's own network: {returns}{note}"


def _fitness_note(candidate: Candidate, scored: Sequence[EpisodeResult], task: str) -> str:
    """A note on whether the episodes that the search scored still have the recorded mean return.

    Empty if this is unknown: no recorded fitness, or not all of these episodes were played.
    """
    outcome = candidate.scored.evaluation if candidate.scored else None
    if not scored or outcome is None or outcome.fitness is None:
        return ""
    first = f"the first {len(scored)}" if len(scored) > 1 else "the first"
    mean = fmean(episode.total_reward for episode in scored)
    if mean != outcome.fitness:
        returns = f"{first} returned {outcome.fitness:.6g} in the search, and now {mean:.6g}"
        return f" ({returns}: the machine, a package or {task} has changed)"
    return f" ({first} gave it its fitness in the search)"


def _search_seeds(candidate: Candidate, policy: Policy) -> list[int]:
    """Seeds of the first episodes that scored the policy in the search, at most `EPISODES`."""
    assert candidate.run is not None
    settings = _settings(candidate)
    genomes = [write(policy)] if settings.starts == "own" else None
    return episode_seeds(candidate.run.seed, 0, 0, min(EPISODES, settings.episodes), genomes)


def _settings(candidate: Candidate) -> PolicySettings:
    """The settings of the candidate's run; the defaults if none are recorded."""
    settings = candidate.settings
    return settings if isinstance(settings, PolicySettings) else PolicySettings()


def _task(request: ExportRequest) -> PolicyTask | None:
    """The task of the candidate's run; the given task, or None, for a candidate without a run.

    Raises:
        BadReference: the run's task is of another kind.
        UnconfirmedTask: the user has to name the task of the run.
    """
    run, given = request.candidate.run, request.given_task
    if run is None and given is None:
        return None
    name = confirmed_name(run.task, given) if run else absolute_name(given or "")
    task = task_class(name)
    if not issubclass(task, PolicyTask):
        raise BadReference(f"expected a task for policies, got {name}, which is for kind {task.kind}")
    return task()


def _origin(request: ExportRequest) -> Origin:
    """The origin without the fitness, because the fitness of a policy may be the luck of one episode."""
    return replace(request.origin(), fitness=None)


def _score(candidate: Candidate) -> str | None:
    """The most reliable mean return of a policy as text; None if none is recorded."""
    outcome = candidate.scored.evaluation if candidate.scored else None
    mean_return = decisive_score([*([outcome] if outcome else []), *candidate.reviews])
    return mean_return_text(mean_return) if mean_return else None
