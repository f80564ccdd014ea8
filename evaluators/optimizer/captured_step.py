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
    """Records a step as a CUDA graph."""

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

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


def recorder_for(device: str) -> Recorder | None:
    """What records steps on a device; None where launches cost too little to be saved, as on a CPU."""
    return CudaGraphs() if device == "cuda" else None


class CapturedStep:
    """A step that is recorded after `FIRST_STEPS`, if it can be.

    Args:
        name: of the task, for messages.
        step: the step.
        device: on which it works.
        recorder: records it; None: all steps are made as usual.

    Attributes:
        obstacle: why it was not recorded; None if it was, or may still be.
    """

    def __init__(self, name: str, step: Step, device: str, recorder: Recorder | None) -> None:
        self.name, self.step, self.device, self.recorder = name, step, device, recorder
        self.obstacle: str | None = None
        self._made = 0
        self._traces: list[StepTrace] = []
        self._repeat: Step | None = step if recorder is None else None

    @property
    def recorded(self) -> bool:
        """Whether steps are replayed."""
        return self._repeat is not None and self._repeat is not self.step

    def __call__(self) -> None:
        """Makes the next step."""
        if self._repeat is None and self._made == FIRST_STEPS:
            self._repeat = self._recorded()
        if self._repeat is not None:
            self._repeat()
            return
        assert self.recorder is not None
        self._made += 1
        if self._made == 1:
            self.recorder.rehearse(self.step)
        else:
            self.recorder.rehearse(lambda: self._traces.append(traced(self.step, self.device)))

    def _recorded(self) -> Step:
        """The recorded step, or the step itself if it cannot be recorded."""
        assert self.recorder is not None
        first, second = self._traces
        self.obstacle = second.obstacle or difference(first, second)
        self._traces = []
        if self.obstacle is None:
            try:
                return self.recorder.record(self.step)
            except Exception as error:  # whatever a library refuses to do while it is recorded
                self.obstacle = in_a_line(error)
                release_memory(self.device)
        _say(self.name, self.obstacle)
        return self.step


@cache
def _say(name: str, obstacle: str) -> None:
    """Logs once a process why steps are not recorded."""
    log.warning("%s: the steps of a training are launched one operation at a time, which is slower: %s", name, obstacle)
