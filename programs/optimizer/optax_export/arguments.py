"""The arguments of an exported optax function: the hyper-parameters of the torch export under optax's names."""

import re
from collections.abc import Iterator, Sequence

from germline.programs.export.names import numbered_name
from germline.programs.optimizer.export.arguments import HyperParameter


def optax_arguments(arguments: Sequence[HyperParameter]) -> tuple[HyperParameter, ...]:
    """The hyper-parameters with one number each: `betas` becomes b1, b2, …, the decay of a lone average b1 or decay.

    Decays of several averages of squares are decay1, decay2, …
    """
    used = {argument.name for argument in arguments}
    result = []
    for name, argument in _numbers(arguments):
        free = name if name == argument.name else numbered_name(name, used)
        used.add(free)
        result.append(HyperParameter(free, (free,), argument.values, argument.range, argument.meaning, argument.places))
    return tuple(result)


def _numbers(arguments: Sequence[HyperParameter]) -> Iterator[tuple[str, HyperParameter]]:
    """Each number as an argument of its own, with its name in optax."""
    for argument in arguments:
        if argument.name == "betas":
            parts = zip(argument.values, argument.meanings, argument.places, strict=True)
            for k, (value, meaning, places) in enumerate(parts):
                name = f"b{k + 1}"
                yield name, HyperParameter("betas", (name,), (value,), argument.range, meaning, (places,))
        elif argument.range == "decay" and argument.name in ("momentum", "beta"):
            yield "b1", argument
        elif re.fullmatch(r"beta\d+", argument.name):
            yield argument.name.replace("beta", "b"), argument
        else:
            yield re.sub(r"^alpha(?=\d*$)", "decay", argument.name), argument
