"""The text of the functions that compute a step of an exported optimizer."""

from germline.programs.optimizer.export.parts import WIDTH, Parts, indent


def step_functions(parts: Parts) -> list[list[str]]:
    """The functions that compute a step: one for groups, or one for single parameters and one for lists."""
    return [_group_function(parts)] if parts.prepared.whole_tree else [_single(parts), _multi(parts)]


def _signature(name: str, parts: Parts) -> list[str]:
    tensors = ["params", "grads", *parts.lists_of_state]
    return [
        f"def {name}(",
        *(f"    {tensor}: list[torch.Tensor]," for tensor in tensors),
        *(["    steps: list[Any],"] if parts.own_counts else []),
        "    *,",
        *(f"    {number}: {_number_type(parts, number)}," for number in parts.numbers),
        ") -> None:",
    ]


def _number_type(parts: Parts, number: str) -> str:
    if number == "maximize":
        return "bool"
    return "Any" if number in ("lr", "step", "loss", *parts.shared) else "float"


def _single(parts: Parts) -> list[str]:
    """The function that updates one parameter after another."""
    columns = {"p": "params", "grad": "grads", **{name: parts.lists[name] for name in parts.states}}
    if parts.own_counts:
        columns["step"] = "steps"
    header = f"for {', '.join(columns)} in zip({', '.join(columns.values())}):"
    reads = []
    if len(header) > WIDTH - 4:
        header = "for i, p in enumerate(params):"
        reads = [f"{name} = {source}[i]" for name, source in columns.items() if name != "p"]
    tensors, wide = ("w, g", "_widen(w), _widen(g)") if "g" in _reads(parts) else ("w", "_widen(w)")
    source = "p, -grad if maximize else grad" if tensors == "w, g" else "p"
    loop = [*reads, f"{tensors} = {source}", "if p.dtype not in _WIDE:", f"    {tensors} = {wide}"]
    loop += ["", *parts.single, "", "if w is not p:", "    p.copy_(w)"]
    return [
        *_signature("_single_tensor", parts),
        '    """Updates one parameter after another."""',
        *indent(parts.head),
        f"    {header}",
        *indent(loop, 2),
    ]


def _multi(parts: Parts) -> list[str]:
    """The function that updates all parameters at once, those of each device and precision together."""
    names = [parts.lists["w"], parts.lists["g"], *parts.lists_of_state]
    body = [
        f"{parts.lists['w']} = [_widen(p) for p in params]",
        f"{parts.lists['g']} = [_widen(-g if maximize else g) for g in grads]",
        f"columns = [{', '.join(names)}]",
        "grouped = torch.optim.Optimizer._group_tensors_by_device_and_dtype(",
        "    columns, with_indices=True",
        ")",
        "for lists, indices in grouped.values():",
        f"    {', '.join(names)} = lists",
    ]
    if parts.own_counts:
        body.append(f"    {parts.lists['step']} = [steps[i] for i in indices]")
    return [
        *_signature("_multi_tensor", parts),
        '    """Updates all parameters at once, those of each device and precision together."""',
        *indent(body),
        *indent(["", *parts.foreach], 2),
        "",
        f"        for p, w in zip([params[i] for i in indices], {parts.lists['w']}):",
        "            if w is not p:",
        "                p.copy_(w)",
    ]


def _group_function(parts: Parts) -> list[str]:
    """The function that updates a parameter group, for rules that look at all parameters at once."""
    ws, gs = parts.lists["w"], parts.lists["g"]
    return [
        *_signature("_update", parts),
        '    """Updates the parameters of a group, which the rule looks at as a whole."""',
        f"    {ws} = [_widen(p) for p in params]",
        *([f"    {gs} = [_widen(-g if maximize else g) for g in grads]"] if "g" in _reads(parts) else []),
        "",
        *indent(parts.foreach),
        "",
        f"    for p, w in zip(params, {ws}):",
        "        if w is not p:",
        "            p.copy_(w)",
    ]


def _reads(parts: Parts) -> set[str]:
    names: set[str] = set()
    for kernel in parts.step.kernels:
        names |= {arg for arg in kernel.args if isinstance(arg, str)}
        names |= {name for name in ("g", "w") if f"⟨{name}⟩" in kernel.source}
    return names
