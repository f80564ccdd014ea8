"""The text of an exported optimizer class and of the functions that compute its step."""

from collections.abc import Mapping
from dataclasses import dataclass

from germline.programs.optimizer.export.arguments import HyperParameter
from germline.programs.optimizer.export.lowering import Step
from germline.programs.optimizer.export.prepared import PreparedProgram
from germline.programs.optimizer.program import State

WIDTH = 88
_MATRIX = {"row_mean", "column_mean", "rank_one", "matmul", "transpose", "orthogonalize", "rank", "rows", "columns"}
"""Functions for which the real and the imaginary parts of a tensor are no tensor of their own."""
_REDUCTIONS = {*_MATRIX, "leaf_max", "leaf_mean"} - {"rank", "transpose"}
"""Functions without a value for a tensor of no elements."""


@dataclass(frozen=True)
class Parts:
    """What a class is written from.

    Attributes:
        prepared: the program.
        arguments: the constructor's arguments beside lr.
        lists: the name of the list with a variable's value for each parameter.
        step: the kernels.
        head: lines before the loop over parameters.
        single: lines for one parameter.
        foreach: lines for all parameters.
        docstring: lines of the class's docstring.
    """

    prepared: PreparedProgram
    arguments: tuple[HyperParameter, ...]
    lists: Mapping[str, str]
    step: Step
    head: list[str]
    single: list[str]
    foreach: list[str]
    docstring: list[str]

    @property
    def functions(self) -> set[str]:
        """The functions of the program."""
        return {line.function for line in self.prepared.program.body}

    @property
    def states(self) -> list[str]:
        """The states with a value for each parameter."""
        return [state.name for state in self.prepared.leaf_states]

    @property
    def counts(self) -> bool:
        """True if the program reads the step count."""
        return self.prepared.program.step

    @property
    def own_counts(self) -> bool:
        """True if every parameter has a step count of its own."""
        return self.counts and not self.prepared.whole_tree

    @property
    def shared(self) -> list[str]:
        """The states that a parameter group has, as tensors."""
        counts = ["step"] if self.counts and self.prepared.whole_tree else []
        return [*(state.name for state in self.prepared.scalar_states), *counts]

    @property
    def reads_lr(self) -> bool:
        """True if the step reads lr."""
        return self.prepared.reads_lr

    @property
    def lists_of_state(self) -> list[str]:
        """Names of the lists of states."""
        return [self.lists[name] for name in self.states]

    @property
    def numbers(self) -> list[str]:
        """The keyword arguments of the functions of a step."""
        names = [name for argument in self.arguments for name in argument.variables]
        shared = [state.name for state in self.prepared.scalar_states]
        count = ["step"] if self.counts and not self.own_counts else []
        return [*(["lr"] if self.reads_lr else []), *names, *shared, *count, "maximize"]


def class_text(parts: Parts, class_name: str) -> str:
    """The functions of a step and the class that calls them."""
    functions = [_group_function(parts)] if parts.prepared.whole_tree else [_single(parts), _multi(parts)]
    lines: list[str] = []
    for function in functions:
        lines += [*function, "", ""]
    lines += [f"class {class_name}(torch.optim.Optimizer):", *indent(parts.docstring), ""]
    methods = [
        _constructor(parts, class_name),
        _set_state(parts),
        _load(parts),
        _add_group(parts),
        _init_group(parts, class_name),
        _step(parts),
    ]
    for method in methods:
        lines += [*indent(method), ""] if method else []
    return "\n".join(lines[:-1]) + "\n"


def indent(lines: list[str], depth: int = 1) -> list[str]:
    """The lines, indented by four columns for each level; blank lines stay empty."""
    return ["    " * depth + line if line else line for line in lines]


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
    return "Any" if number in ("lr", "step", *parts.shared) else "float"


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


def _constructor(parts: Parts, class_name: str) -> list[str]:
    names = ["lr", *(argument.name for argument in parts.arguments), *_OPTIONS]
    return [
        "def __init__(",
        "    self,",
        "    params: ParamsT,",
        f"    lr: float | torch.Tensor = {parts.prepared.default_rate!r},",
        *(f"    {argument.name}: {_type(argument)} = {argument.default!r}," for argument in parts.arguments),
        "    *,",
        "    foreach: bool | None = None,",
        "    maximize: bool = False,",
        "    capturable: bool = False,",
        "    differentiable: bool = False,",
        ") -> None:",
        "    if differentiable:",
        f'        raise RuntimeError("{class_name} does not support differentiable=True")',
        "    defaults = {",
        *(f'        "{name}": {name},' for name in names),
        "    }",
        "    super().__init__(params, defaults)",
    ]


_OPTIONS = {"foreach": "None", "maximize": "False", "capturable": "False", "differentiable": "False"}


def _type(argument: HyperParameter) -> str:
    if argument.name == "betas":
        return f"tuple[{', '.join('float' for _ in argument.values)}]"
    return "int" if argument.range == "count" else "float"


def _set_state(parts: Parts) -> list[str]:
    """The method through which the base class loads, copies and unpickles."""
    lines = [
        "def __setstate__(self, state: dict[str, Any]) -> None:",
        "    super().__setstate__(state)",
        "    for group in self.param_groups:",
        *(f'        group.setdefault("{name}", {value})' for name, value in _OPTIONS.items()),
    ]
    scalars = [state.name for state in parts.prepared.scalar_states]
    if parts.shared:
        lines.append('        for p in group["params"][:1]:')
        lines += [f'            group["{name}"] = group["{name}"].to(p.device)' for name in scalars]
    if "step" in parts.shared:
        lines += [
            '            if group["capturable"]:',
            '                group["step"] = group["step"].to(p.device)',
        ]
    if parts.states:
        lines += [
            '        for p in group["params"]:',
            "            for name, value in self.state.get(p, {}).items():",
            "                if isinstance(value, _Uncast):",
            "                    self.state[p][name] = value.like(p)",
        ]
    return lines


def _load(parts: Parts) -> list[str]:
    """The method that keeps states in float32 where parameters are of half precision."""
    if not parts.states:
        return []
    return [
        "def load_state_dict(self, state_dict: dict[str, Any]) -> None:",
        '    """Load what `state_dict` returned, as the base class does.',
        "",
        "    Only its cast of states to the precision of parameters is replaced, by a hook",
        "    that runs after all others: states of half-precision stay in float32.",
        '    """',
        "    hook = self.register_load_state_dict_pre_hook(_without_cast)",
        "    try:",
        "        super().load_state_dict(state_dict)",
        "    finally:",
        "        hook.remove()",
    ]


def _add_group(parts: Parts) -> list[str]:
    """The method that checks the hyper-parameters of a group and creates the states that it has as a whole."""
    lines = [
        "def add_param_group(self, param_group: dict[str, Any]) -> None:",
        '    """Add a group of parameters, which may have hyper-parameters of its own."""',
        "    options = {**self.defaults, **param_group}",
        '    lr = options["lr"]',
        "    if isinstance(lr, torch.Tensor):",
        '        if options["foreach"] and not options["capturable"]:',
        "            raise ValueError(",
        '                "lr as a Tensor is not supported for capturable=False and "',
        '                "foreach=True"',
        "            )",
        "        if lr.numel() != 1:",
        '            raise ValueError("Tensor lr must be 1-element")',
        "    if not 0.0 <= lr < math.inf:",
        '        raise ValueError(f"Invalid learning rate: {lr}")',
    ]
    for argument in parts.arguments:
        if argument.name == "betas":
            count = len(argument.values)
            lines += [
                '    betas = options["betas"]',
                f"    if len(betas) != {count}:",
                f'        raise ValueError(f"Invalid betas: expected {count} numbers, got {{betas}}")',
                "    for i, beta in enumerate(betas):",
                "        if not 0.0 <= beta < 1.0:",
                '            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")',
            ]
            continue
        what = "epsilon" if argument.name == "eps" else argument.name
        condition = _TESTS[argument.range].format(argument.name)
        lines += [
            f'    {argument.name} = options["{argument.name}"]',
            f"    if not {condition}:",
            f'        raise ValueError(f"Invalid {what} value: {{{argument.name}}}")',
        ]
    lines.append("    super().add_param_group(param_group)")
    if parts.shared:
        lines.append("    group = self.param_groups[-1]")
        lines += [
            f'    group.setdefault("{name}", _scalar(group["params"]))' for name in parts.shared if name != "step"
        ]
    if "step" in parts.shared:
        lines += [
            '    group.setdefault("step", torch.zeros(()))',
            '    if group["capturable"] and group["params"]:',
            '        group["step"] = group["step"].to(group["params"][0].device)',
        ]
    return lines


_TESTS = {
    "decay": "0.0 <= {} < 1.0",
    "nonnegative": "0.0 <= {} < math.inf",
    "nonpositive": "-math.inf < {} <= 0.0",
    "count": "1 <= {} < math.inf",
    "free": "math.isfinite({})",
}
"""The condition of an argument of each range."""

_START = {
    "tree": "_zeros(p)",
    "leaf": "_zeros(p, ())",
    "row": "_zeros(p, (*p.shape[:1], *[1] * (p.ndim - 1)))",
    "column": "_zeros(p, (1, *p.shape[1:]) if p.ndim > 1 else p.shape)",
}


def _init_group(parts: Parts, class_name: str) -> list[str]:
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
    if parts.functions & _MATRIX or _rows(parts.prepared.leaf_states):
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
    if parts.functions & _REDUCTIONS:
        lines += ["        if not p.numel():", "            continue"]
    lines += ["        params.append(p)", "        grads.append(grad)"]
    lines += [f'        {parts.lists[name]}.append(state["{name}"])' for name in parts.states]
    if parts.own_counts:
        lines.append('        steps.append(state["step"])')
    return lines


def _rows(states: tuple[State, ...]) -> bool:
    return any(state.shape in ("row", "column") for state in states)


def _step(parts: Parts) -> list[str]:
    """The method that does a step."""
    names = ["params", "grads", *parts.lists_of_state, *(["steps"] if parts.own_counts else [])]
    trees = [parts.lists[state.name] for state in parts.prepared.leaf_states if state.shape == "tree"]
    complex_ = not (parts.functions & _MATRIX or _rows(parts.prepared.leaf_states))
    body = [f"{name}: list[torch.Tensor] = []" for name in names]
    body.append(f"self._init_group({', '.join(['group', *names])})")
    body += ["if not params:", "    continue"]
    if complex_:
        body.append(f"_view_as_real({', '.join(['params', 'grads', *trees])})")
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
    local = [*betas, "lr", *(["step"] if parts.prepared.whole_tree else [])]
    call += [f"    {name}={name}," if name in local else f'    {name}=group["{name}"],' for name in parts.numbers]
    body += [*call, ")"]
    return [
        "@torch.no_grad()",
        "def step(self, closure: Callable[[], Any] | None = None) -> Any:",
        '    """Update the parameters once; `closure`, if given, computes the loss again."""',
        "    loss = None",
        "    if closure is not None:",
        "        with torch.enable_grad():",
        "            loss = closure()",
        "",
        "    for group in self.param_groups:",
        *indent(body, 2),
        "",
        "    return loss",
    ]
