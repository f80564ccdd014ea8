"""The text of an exported optimizer class and of the functions that compute its step."""

from germline.programs.optimizer.export.groups_text import add_group, constructor, evaluation, load, set_state
from germline.programs.optimizer.export.parts import Parts, indent
from germline.programs.optimizer.export.step_functions_text import step_functions
from germline.programs.optimizer.export.step_text import init_group, step


def class_text(parts: Parts, class_name: str) -> str:
    """The functions of a step and the class that calls them."""
    lines: list[str] = []
    for function in step_functions(parts):
        lines += [*function, "", ""]
    lines += [f"class {class_name}(torch.optim.Optimizer):", *indent(parts.docstring), ""]
    methods = [
        constructor(parts, class_name),
        set_state(parts),
        load(parts),
        add_group(parts),
        init_group(parts, class_name),
        step(parts, class_name),
        evaluation(parts),
    ]
    for method in methods:
        lines += [*indent(method), ""] if method else []
    return "\n".join(lines[:-1]) + "\n"
