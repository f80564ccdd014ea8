"""An evaluator whose genomes say what happens when they are scored, for tests of executors.

It imports no torch, so that its process starts in a moment.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from germline.evaluators.outcome import Outcome

CHANGED: list[str] = []
"""The arguments of the genomes `change …` that this process has scored."""


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def act(genome: str) -> None:
    """Does what a genome says: a word, and its argument."""
    word, _, argument = genome.partition(" ")
    match word:
        case "raise":
            raise RuntimeError("a task that raises")
        case "raise-unprintable":
            raise Unprintable
        case "interrupt":
            raise KeyboardInterrupt
        case "leave":
            sys.exit(int(argument))
        case "exit":
            os._exit(int(argument))
        case "segfault":
            ctypes.string_at(0)
        case "signal":
            os.kill(os.getpid(), int(argument) if argument.isdecimal() else getattr(signal, argument))
        case "kill-parent":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(10)
        case "kill-worker":
            status = Path(f"/proc/{os.getppid()}/stat").read_text()
            os.kill(int(status.rpartition(")")[2].split()[1]), signal.SIGKILL)
            time.sleep(10)
        case "sleep":
            time.sleep(float(argument))
        case "ignore":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            ctypes.PyDLL(None).sleep(1000)  # keeps the interpreter's lock
        case "child":
            child = subprocess.Popen(["sleep", "1000"])
            Path(argument).write_text(str(child.pid))
            os._exit(4)
        case "keep-child":
            Path(argument).write_text(str(subprocess.Popen(["sleep", "1000"]).pid))
        case "print":
            for _ in range(10_000):
                print("noise" * 100)
        case "change":
            CHANGED.append(argument)
            raise RuntimeError("a task that changed its process")
        case "import":
            import_module(argument)
        case "library":
            ctypes.CDLL(argument)
        case "start-once":
            if not Path(argument).exists():
                Path(argument).write_text(str(os.getpid()))
                time.sleep(1000)


class ScriptedEvaluator:
    """Scores genomes that are words, such as `raise`.

    A number is its own fitness, plus a million for each of `CHANGED`.
    """

    device = "cuda"

    def lost_device(self) -> str | None:
        """The error of a GPU that cannot be used any more, after the genome `change device`; else None."""
        return "RuntimeError: CUDA error: device-side assert triggered" if "device" in CHANGED else None

    def score(
        self, genomes: Sequence[str], rung: int, seed: int, limit: Any, only: Sequence[int] | None = None
    ) -> list[Outcome]:
        chosen = [genomes[position] for position in (range(len(genomes)) if only is None else only)]
        for genome in chosen:
            act(genome)
        return [Outcome("ok", _number(genome) + 1e6 * len(CHANGED), worker=str(os.getpid())) for genome in chosen]


def _number(genome: str) -> float:
    if genome == "draw":
        import numpy.random  # here, so that a process that does not draw starts in a moment

        return float(numpy.random.random())  # noqa: NPY002 - a task that forgets to seed
    return float(genome) if genome.replace(".", "").isdecimal() else 0.0


@dataclass(frozen=True)
class ScriptedSpec:
    """Builds the evaluator, after `act(loading)`; the fork server does `act(preloading)`."""

    loading: str = ""
    task: str = "scripted"
    device: str = "cpu"
    preloading: str = ""

    def preload(self) -> None:
        act(self.preloading)

    def build(self) -> ScriptedEvaluator:
        act(self.loading)
        return ScriptedEvaluator()
