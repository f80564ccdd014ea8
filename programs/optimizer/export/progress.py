"""The input `progress` of a program that is exported.

Nobody tells an optimizer how long a training is. So `progress` is computed from the step count and a number of steps,
which becomes the argument `total_steps`: it is 0 at the first step, and 1 from step `total_steps` + 1 on.
"""

from dataclasses import replace

from germline.programs.export.names import numbered_name
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.program import Program, Statement

TOTAL_STEPS = 1000.0
"""The default of `total_steps`."""


def from_step_count(program: Program) -> Program:
    """A program without the input `progress`; a program that does not read it as it is."""
    live = live_program(program)
    if not live.progress:
        return program
    used = {*live.inputs, *live.returns, *(line.target for line in live.body)}
    steps_done, per_step, share = (numbered_name(name, used) for name in ("steps_done", "per_step", "share"))
    lines = (
        Statement(steps_done, "-", ("step", 1.0)),
        Statement(per_step, "reciprocal", (TOTAL_STEPS,)),
        Statement(share, "*", (steps_done, per_step)),
        Statement("progress", "min", (share, 1.0)),
    )
    return replace(live, body=(*lines, *live.body), step=True, progress=False)
