"""Commands to go on with from an individual, as its page suggests them: they work where they are pasted."""

from germline.cli.candidate import Candidate, task_option
from germline.cli.database import on_database
from germline.cli.printing import command_line

TABLES = "nb201-"
"""Tasks whose names begin so are tables of errors, without held-out data. They are known by their names, because the
classes of other tasks import torch."""

_EXPORTS = {
    "optimizer": (("optax", "found.py"),),
    "architecture": (("onnx", "found.onnx"),),
    "policy": (("onnx", "found.onnx"),),
}


def next_commands(candidate: Candidate, url: str) -> list[str]:
    """The commands: exports first, then what measures the individual further.

    Args:
        candidate: an individual of a run.
        url: the database, which the commands name unless it is the default.
    """
    label = candidate.label
    # The export of a policy plays on its task, to compare; other exports need no task.
    task = task_option(candidate) if candidate.kind == "policy" else ()
    commands: list[tuple[str, ...]] = [("export", label, "-o", "found.py", *task)]
    exports = () if _has_own_network(candidate) else _EXPORTS.get(candidate.kind, ())
    commands += [("export", label, "--to", target, "-o", file, *task) for target, file in exports]
    if candidate.kind == "optimizer":
        commands.append(("simplify", label))
    elif candidate.kind == "policy":
        commands.append(("play", label, *task_option(candidate)))
    if candidate.kind in _EXPORTS and has_heldout_data(candidate):
        commands.append(("validate", label, *task_option(candidate)))
    commands.append(("show", label))
    return [on_database(command_line(*words), url) for words in commands]


def comparison_command(candidate: Candidate, url: str) -> str | None:
    """The command that makes a tuned comparison; None for kinds that have none."""
    if candidate.kind != "optimizer":
        return None
    words = ("validate", candidate.label, *task_option(candidate), "--against", "library:adamw")
    return on_database(command_line(*words), url)


def has_heldout_data(candidate: Candidate) -> bool:
    """Whether `germline validate` can measure an individual on the task of its run."""
    return candidate.run is not None and not candidate.run.task.startswith(TABLES)


def _has_own_network(candidate: Candidate) -> bool:
    """Whether the network of a policy is a module of its user, which has no export but for torch."""
    if candidate.kind != "policy":
        return False
    from germline.programs.policy.genome import InvalidPolicy, read  # not needed for other kinds

    try:
        return read(candidate.genome).network.form == "own"
    except InvalidPolicy:  # of a foreign database
        return False
