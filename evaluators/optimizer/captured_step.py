"""A step of a training that the device repeats by itself.

On a GPU a step of many small kernels takes as long as the host needs to launch them. So a step is made a few times as
usual, compared with itself, and then captured as a CUDA graph, which a single launch replays. What cannot be captured,
or is not the same each time, is launched as usual, and why is logged.
"""

import logging
from collections.abc import Callable
from functools import cache
from typing import Protocol

import torch

from germline.evaluators.errors import in_a_line
from germline.evaluators.memory import release_memory
from germline.evaluators.optimizer.step_trace import StepTrace, difference, traced

log = logging.getLogger(__name__)

Step = Callable[[], object]
"""A step as a function of buffers alone: whatever changes from one step to the next, it reads on the device."""
FIRST_STEPS = 3
"""Steps that are made as usual. In the first one, libraries set themselves up; the others are compared."""


class Recorder(Protocol):
    """Records a step, to repeat it."""

    def rehearse(self, step: Step) -> None:
        """Makes a step as usual, in the place where it will be recorded."""

    def record(self, step: Step) -> Step:
        """Returns a function that makes a step as this one does, which is not made now.

        Raises:
            Exception: the step cannot be recorded.
        """


class CudaGraphs:
    """Records a step as a CUDA graph. All of them rehearse in one stream, since libraries keep memory for each."""

    def __init__(self) -> None:
        self.stream = _side_stream()

    def rehearse(self, step: Step) -> None:
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            step()
        torch.cuda.current_stream().wait_stream(self.stream)

    def record(self, step: Step) -> Step:
        graph = torch.cuda.CUDAGraph()
        # Threads of an executor may use the device while this one records.
        with torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
            step()
        replay: Step = graph.replay
        return replay


@cache
def _side_stream() -> torch.cuda.Stream:
    return torch.cuda.Stream()  # type: ignore[no-untyped-call]


def recorder_for(device: str) -> Recorder | None:
    """What records steps on a device; None where launches cost too little to be saved, as on a CPU."""
    return CudaGraphs() if device == "cuda" else None


class CapturedStep:
    """A step that is recorded after `FIRST_STEPS`, if it can be.

    Args:
        name: of the task, for messages.
        device: on which the step works.
        recorder: records it; None: all steps are made as usual.

    Attributes:
        obstacle: why it was not recorded; None if it was, or may still be.
    """

    def __init__(self, name: str, device: str, recorder: Recorder | None) -> None:
        self.name, self.device, self.recorder = name, device, recorder
        self.obstacle: str | None = None
        self._made = 0
        self._traces: list[StepTrace] = []
        self._replay: Step | None = None

    @property
    def recorded(self) -> bool:
        """Whether steps are replayed."""
        return self._replay is not None

    def __call__(self, step: Step) -> None:
        """Makes the next step: by `step`, the same function each time, or as it was recorded. It is not kept, since it
        may be a method of what keeps this object: memory has to be free as soon as nobody trains with it."""
        if self.recorder is None or self.obstacle is not None:
            step()
            return
        if self._made == FIRST_STEPS and self._replay is None:
            self._record(self.recorder, step)
        if self._made < FIRST_STEPS:
            self._made += 1
            self._rehearse(self.recorder, step)
        else:
            (self._replay or step)()

    def _rehearse(self, recorder: Recorder, step: Step) -> None:
        if self._made == 1:
            recorder.rehearse(step)
        else:
            recorder.rehearse(lambda: self._traces.append(traced(step, self.device)))

    def _record(self, recorder: Recorder, step: Step) -> None:
        """Records the step, or notes and says why it cannot be recorded."""
        first, second = self._traces
        self.obstacle = second.obstacle or difference(first, second)
        self._traces = []
        if self.obstacle is None:
            try:
                self._replay = recorder.record(step)
            except Exception as error:  # whatever a library refuses to do while it is recorded
                self.obstacle = in_a_line(error)
                release_memory(self.device)
        if self.obstacle is not None:
            _say(self.name, self.obstacle)


@cache
def _say(name: str, obstacle: str) -> None:
    """Logs once a process why steps are not recorded."""
    log.warning("%s: the steps of a training are launched one operation at a time, which is slower: %s", name, obstacle)
