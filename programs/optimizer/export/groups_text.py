"""The text of the methods of an exported optimizer class that make, check and load parameter groups."""

from germline.programs.optimizer.export.arguments import HyperParameter
from germline.programs.optimizer.export.parts import WIDTH, Parts


def constructor(parts: Parts, class_name: str) -> list[str]:
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


def set_state(parts: Parts) -> list[str]:
    """The method through which the base class loads, copies and unpickles."""
    lines = [
        "def __setstate__(self, state: dict[str, Any]) -> None:",
        "    super().__setstate__(state)",
        "    for group in self.param_groups:",
        *(f'        group.setdefault("{name}", {value})' for name, value in _OPTIONS.items()),
        *(['        group.setdefault("evaluating", False)'] if parts.readout else []),
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


def load(parts: Parts) -> list[str]:
    """The lines of `load_state_dict`, which loads float32 states of half-precision parameters without a cast to half
    precision; none for a class without states."""
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


def evaluation(parts: Parts) -> list[str]:
    """The methods that put the read-out in the place of the parameters, and back; none for a class without a read-out.

    The parameters wait in a state of their own, since the read-out may be in a higher precision.
    """
    if parts.readout is None:
        return []
    return [
        "@torch.no_grad()",
        "def eval(self) -> None:",
        '    """Put the read-out in the place of the parameters, to use or save the model."""',
        "    for group in self.param_groups:",
        '        for p in [] if group["evaluating"] else group["params"]:',
        "            state = self.state.get(p, {})",
        f'            if "{parts.readout}" in state:',
        '                state["_weights"] = p.clone()',
        f'                p.copy_(state["{parts.readout}"])',
        '        group["evaluating"] = True',
        "",
        "@torch.no_grad()",
        "def train(self) -> None:",
        '    """Put the parameters back, to go on with the training."""',
        "    for group in self.param_groups:",
        '        for p in group["params"] if group["evaluating"] else []:',
        "            state = self.state.get(p, {})",
        '            if "_weights" in state:',
        '                p.copy_(state.pop("_weights"))',
        '        group["evaluating"] = False',
    ]


def add_group(parts: Parts) -> list[str]:
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
            *_raise(f'f"Invalid {what} value: {{{argument.name}}}"'),
        ]
    lines.append("    super().add_param_group(param_group)")
    if parts.readout:
        lines.append('    self.param_groups[-1].setdefault("evaluating", False)')
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


def _raise(message: str) -> list[str]:
    """The line that raises a ValueError, or three where it would be too long."""
    line = f"        raise ValueError({message})"
    return [line] if len(line) <= WIDTH - 4 else ["        raise ValueError(", f"            {message}", "        )"]


_TESTS = {
    "decay": "0.0 <= {} < 1.0",
    "nonnegative": "0.0 <= {} < math.inf",
    "nonpositive": "-math.inf < {} <= 0.0",
    "count": "1 <= {} < math.inf",
    "free": "math.isfinite({})",
}
"""The condition of an argument of each range."""
