"""Optimizers as files."""

from germline.cli.exports.made import Asked, Made
from germline.programs.optimizer import parse
from germline.programs.optimizer.export import TOLERANCE, verified_torch, write_verified


def torch(asked: Asked) -> Made:
    """A torch.optim.Optimizer, which has run beside the interpreter."""
    name, program = asked.name(), parse(asked.candidate.genome)
    verified = verified_torch(program, asked.origin(), name)
    write_verified(asked.path, verified.source, program, name)
    return Made(
        verified.source,
        name,
        what=f"class {name}(torch.optim.Optimizer)",
        against="the interpreter",
        use=f"optimizer = {name}(model.parameters())",
        difference=verified.difference,
        tolerance=TOLERANCE,
    )
