"""How many candidates of a training task fit the memory of a device together, from shapes alone.

The bytes of a candidate are counted on torch's meta device: all that a step of the model makes, as if nothing of it
were freed before the end, and the tensors of a usual program.
"""

from germline.evaluators.optimizer.gradient_cost import gradient_call
from germline.evaluators.optimizer.several_tasks import SeveralTasks
from germline.evaluators.optimizer.step_trace import traced
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.task import Task

SHARE = 0.5
"""Share of the memory that a pack may fill by this count; measuring, libraries and other workers need some too."""
TENSORS_OF_PROGRAM = 8
"""Copies of the parameters that a program is taken to need: parameters, gradients, states and what it computes."""
LARGEST, SMALLEST = 4_096, 16
"""Limits of what `largest_pack` returns. More candidates than the first gain nothing: the device is busy."""


def largest_pack(task: type[Task], memory: int) -> int | None:
    """Returns how many candidates of a task should train together on a device with so many bytes of memory, a multiple
    of 16; of several tasks, the smallest such number. None for a task that has to be loaded with its data to know."""
    if issubclass(task, SeveralTasks):
        sizes = [largest_pack(each, memory) for each in task.classes]
        known = [size for size in sizes if size is not None]
        return min(known) if len(known) == len(sizes) else None
    bytes_each = bytes_of_candidate(task) if issubclass(task, TrainingTask) else None
    if bytes_each is None:
        return None
    fitting = int(SHARE * memory / bytes_each)
    return max(SMALLEST, min(LARGEST, fitting - fitting % SMALLEST))


def bytes_of_candidate(task: type[TrainingTask]) -> int | None:
    """Returns the bytes that a candidate adds to a pack of rung 0; None if the task cannot be made without numbers."""
    try:
        loaded = task("meta").for_training((0,))
        few, more = (_made_in_step(loaded, count) for count in (2, 4))
    except Exception:  # whatever a task of the user's raises when its data have no numbers
        return None
    parameters = 4 * sum(spec.size for spec in task.parameters)
    return (more - few) // 2 + TENSORS_OF_PROGRAM * parameters


def _made_in_step(task: TrainingTask, count: int) -> int:
    """Bytes of all tensors that a step of the model makes for so many candidates."""
    trace = traced(gradient_call(task, task.rungs[0], count, "meta"), "meta")
    return sum(each.written for each in trace.operations)
