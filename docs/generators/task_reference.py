"""The reference of tasks, from the registry: what `germline tasks` prints, with the effort of each rung."""

from markdown_table import code, table

from germline.evaluators.tasks.registry import BUILT_IN, FAMILIES, describe, task_class

_HEADINGS = {"optimizer": "For optimizers", "architecture": "For architectures", "policy": "For policies"}


def tasks() -> str:
    """A section for each kind with its built-in tasks and families of tasks."""
    families = {form: (task_class(form).kind, summary) for _, form, summary in FAMILIES.values()}
    sections = []
    for kind, heading in _HEADINGS.items():
        rows = [_row(name) for name in BUILT_IN if task_class(name).kind == kind]
        rows += [[code(form), summary, "", ""] for form, (of, summary) in families.items() if of == kind]
        sections.append(f"## {heading}\n\n" + table(["`--task`", "what it is", "rungs", "parameters"], rows))
    return "\n".join(sections)


def _row(name: str) -> list[str]:
    task = describe(name)
    held_out = ", **held out**" if task.held_out_task else ""
    size = f"{task.parameters:,}" if task.parameters else ""
    return [code(name), task.summary + held_out, "; ".join(str(rung) for rung in task.rungs), size]
