"""Checks of what becomes of errors on a device: exhausted memory, and an assertion after which it cannot be used."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import candidate_steps
import torch
from device_step import Results
from own_tree import ROOT

from germline.evaluators.evaluator import EVALUATED_AT_ONCE, EvaluatorSpec
from germline.evaluators.executors.executor import Failed, Job
from germline.evaluators.executors.supervisor import Supervisor
from germline.evaluators.memory import release_memory
from germline.evaluators.outcome import Outcome
from germline.programs.optimizer import library
from germline.programs.optimizer import write as write_program

TASKS = str(ROOT / "tests" / "device" / "device_tasks.py")


def memory(device: str, count: int) -> Results:
    """A pack that does not fit the memory is halved until it fits, and every genome is scored."""
    genomes = [write_program(program) for program in candidate_steps.programs(count)]
    options = {"lengths": (0.02,)}
    if device == "cpu":  # the memory of a CPU has no limit that could be lowered
        outcomes = EvaluatorSpec("optimizer", f"{TASKS}:Narrow", 1, device, options).build().score(genomes, 0, 0)
        yield _halved(outcomes, count)
        return
    evaluator = EvaluatorSpec("optimizer", "text-transformer", 1, device, options).build()
    release_memory(device)
    torch.cuda.reset_peak_memory_stats()
    whole = evaluator.score(genomes, 0, 0)
    # Less than the pack has allocated, so that it cannot fit, however well the allocator packs it.
    limit = 0.6 * torch.cuda.max_memory_allocated() / torch.cuda.mem_get_info()[1]
    release_memory(device)
    torch.cuda.set_per_process_memory_fraction(limit)
    try:
        outcomes = evaluator.score(genomes, 0, 0)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    # A pack of another size rounds differently, so that a candidate at the edge of divergence may end otherwise.
    other = sum(a.status != b.status for a, b in zip(whole, outcomes, strict=True))
    halved = _halved(outcomes, count)
    yield {**halved, "passed": halved["passed"] and other <= count / 100, "other_statuses": other}


def _halved(outcomes: Sequence[Outcome], count: int) -> dict[str, Any]:
    sizes = {outcome.measures.get(EVALUATED_AT_ONCE, count) for outcome in outcomes if outcome.status == "ok"}
    failed = sum(outcome.status in ("oom", "crashed") for outcome in outcomes)
    at_once = min(sizes, default=0.0)
    return {
        "passed": not failed and 0 < at_once < count,
        "summary": f"{count} at once did not fit, {at_once:.0f} did; {failed} failed",
        "failed": failed,
    }


def replaced_process(device: str) -> Results:
    """A genome that makes the device unusable is `crashed`; its process is replaced, and the next genome is scored."""
    spec = EvaluatorSpec("optimizer", f"{TASKS}:Poisonable", 1, device, {"lengths": (0.05,)})
    supervisor = Supervisor(spec, str(Path.cwd()), load_seconds=120.0)
    good = library()["adamw_plain"]
    poison = "def train(w, g, lr):\n  a = w * 0.0\n  update = a + 1000000.0\n  return update\n"
    try:
        before, failed, after = (
            supervisor.score(Job((0,), (genome,), 0, 0), None, 120.0) for genome in (good, poison, good)
        )
    finally:
        supervisor.close()
    if not (isinstance(before, list) and isinstance(failed, Failed) and isinstance(after, list)):
        yield {"passed": False, "summary": f"got {before}, {failed}, {after}"[:500]}
        return
    scored = before[0].status == after[0].status == "ok" and before[0].fitness == after[0].fitness
    replaced = before[0].worker != after[0].worker
    passed = scored and replaced and failed.outcome.status == "crashed"
    yield {"passed": passed, "summary": f"{failed.outcome.status}: {failed.outcome.error}; replaced: {replaced}"}
