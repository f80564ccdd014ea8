"""The text of the methods of an exported optimizer class that do a step."""

from germline.programs.optimizer.export.parts import MATRIX, REDUCTIONS, WIDTH, Parts, indent

_START = {
    "tree": "_zeros(p)",
    "readout": "_zeros(p)",
    "leaf": "_zeros(p, ())",
    "row": "_zeros(p, (*p.shape[:1], *[1] * (p.ndim - 1)))",
    "column": "_zeros(p, (1, *p.shape[1:]) if p.ndim > 1 else p.shape)",
    "left": "_zeros(p, _left_shape(p))",
    "right": "_zeros(p, _right_shape(p))",
}


_LIKE_W = ("tree", "readout")
"""Shapes of states that are complex where a parameter is."""


def init_group(parts: Parts, class_name: str) -> list[str]:
    """The method that collects parameters, gradients and states of a group; the compiler of torch knows its name."""
    names = ["params", "grads", *parts.lists_of_state, *(["steps"] if parts.own_counts else [])]
    lines = [
        f"def _init_group({', '.join(['self', 'group', *names])}) -> None:",
        '    for p in group["params"]:',
        "        grad = p.grad",
        "        if grad is None:",
        "            continue",
        "        if grad.layout != torch.strided:",
        f'            raise RuntimeError("{class_name} does not support sparse gradients")',
    ]
    if len(lines[0]) > WIDTH - 4:
        lines[:1] = ["def _init_group(", *(f"    {name}," for name in ["self", "group", *names]), ") -> None:"]
    if parts.functions & MATRIX or parts.has_rows:
        lines += [
            "        if p.is_complex():",
            f'            raise RuntimeError("{class_name} does not support complex parameters")',
        ]
    if parts.states or parts.own_counts:
        lines += ["        state = self.state[p]", "        if not state:"]
        if parts.own_counts:
            lines.append('            device = p.device if group["capturable"] else "cpu"')
            lines.append('            state["step"] = torch.zeros((), device=device)')
        lines += [f'            state["{state.name}"] = {_START[state.shape]}' for state in parts.prepared.leaf_states]
    if parts.functions & REDUCTIONS:
        lines += ["        if not p.numel():", "            continue"]
    lines += ["        params.append(p)", "        grads.append(grad)"]
    lines += [f'        {parts.lists[name]}.append(state["{name}"])' for name in parts.states]
    if parts.own_counts:
        lines.append('        steps.append(state["step"])')
    return lines


def step(parts: Parts, class_name: str) -> list[str]:
    """The method that does a step."""
    names = ["params", "grads", *parts.lists_of_state, *(["steps"] if parts.own_counts else [])]
    trees = [parts.lists[state.name] for state in parts.prepared.leaf_states if state.shape in _LIKE_W]
    complex_ = not (parts.functions & MATRIX or parts.has_rows)
    body = []
    if parts.readout:
        body += ['if group["evaluating"]:', '    raise RuntimeError("call optimizer.train() before a step")']
    body += [f"{name}: list[torch.Tensor] = []" for name in names]
    body += _call("self._init_group", ["group", *names])
    body += ["if not params:", "    continue"]
    if complex_:
        body += _call("_view_as_real", ["params", "grads", *trees])
    if parts.reads_lr:
        body += ['lr = group["lr"]', "if isinstance(lr, torch.Tensor):", "    lr = lr.squeeze()"]
    for argument in parts.arguments:
        if argument.name == "betas":
            body.append(f'{", ".join(argument.variables)} = group["betas"]')
    if parts.prepared.whole_tree:
        if parts.counts:
            body.append('(step,) = _count([group["step"]], group["capturable"])')
        function = "_update"
    else:
        body += [
            'foreach = group["foreach"]',
            "if foreach is None:",
            "    _, foreach = _default_to_fused_or_foreach(params, differentiable=False)",
            '    if isinstance(group["lr"], torch.Tensor) and not group["capturable"]:',
            "        foreach = False",
            "update = _multi_tensor if foreach else _single_tensor",
        ]
        function = "update"
    call = [f"{function}("]
    call += [f"    {name}," for name in names if name != "steps"]
    if parts.own_counts:
        call.append('    _count(steps, group["capturable"]),')
    betas = [name for argument in parts.arguments if argument.name == "betas" for name in argument.variables]
    local = {name: name for name in [*betas, "lr", *(["step"] if parts.prepared.whole_tree else [])]}
    if parts.reads_loss:
        body.append('value = loss if group["capturable"] else float(loss)')
        local["loss"] = '-value if group["maximize"] else value'
    sources = {name: local.get(name, f'group["{name}"]') for name in parts.numbers}
    call += [f"    {name}={source}," for name, source in sources.items()]
    body += [*call, ")"]
    return [
        "@torch.no_grad()",
        *(_LOSS_START if parts.reads_loss else _START_OF_STEP),
        "    if closure is not None:",
        "        with torch.enable_grad():",
        "            loss = closure()",
        *(_loss_check(class_name) if parts.reads_loss else []),
        "",
        "    for group in self.param_groups:",
        *indent(body, 2),
        "",
        "    return loss",
    ]


_START_OF_STEP = [
    "def step(self, closure: Callable[[], Any] | None = None) -> Any:",
    '    """Update the parameters once; `closure`, if given, computes the loss again."""',
    "    loss = None",
]
_LOSS_START = [
    "def step(",
    "    self, closure: Callable[[], Any] | None = None, *, loss: Any = None",
    ") -> Any:",
    '    """Update the parameters once.',
    "",
    "    The rule reads the loss of the batch that gave the gradients, before the step:",
    "    pass it as `loss`, or a `closure` that computes it and its gradients.",
    '    """',
]


def _loss_check(class_name: str) -> list[str]:
    """The lines that refuse a step without a loss."""
    message = f'"{class_name} reads the loss; pass it, or a closure"'
    line = f"        raise ValueError({message})"
    short = len(line) <= WIDTH - 4
    return ["    if loss is None:", *([line] if short else [line[:25], f"            {message}", "        )"])]


def _call(function: str, arguments: list[str]) -> list[str]:
    """A call in the loop over groups: one line, or one for each argument."""
    line = f"{function}({', '.join(arguments)})"
    return [line] if len(line) <= WIDTH - 12 else [f"{function}(", *(f"    {name}," for name in arguments), ")"]
