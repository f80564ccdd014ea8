"""A training task in which a genome can ask for trouble; scenarios copy this file and name it as the task."""

import ctypes
import os
import signal
import subprocess
import sys
import time

import torch

from germline.evaluators.task import Rung
from germline.evaluators.tasks.digits_mlp import DigitsMLP


def _raise() -> None:
    raise RuntimeError("a task that raises")


def _raise_unprintable() -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise ValueError("no text")

    raise Unprintable


def _raise_interrupt() -> None:
    raise KeyboardInterrupt


def _exit() -> None:
    sys.exit("a task that leaves")


def _exit_at_once() -> None:
    os._exit(3)


def _segfault() -> None:
    ctypes.string_at(0)


def _loop() -> None:
    while True:
        pass


def _sleep_in_c() -> None:
    ctypes.PyDLL(None).sleep(10_000)  # PyDLL keeps the interpreter's lock: no other thread runs meanwhile


def _ignore_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1)


def _flood() -> None:
    for _ in range(20_000):
        print("\x1b[2Jnoise" * 50)
        print("noise" * 50, file=sys.stderr)


def _patch_and_raise() -> None:
    torch.nn.functional.cross_entropy = None  # type: ignore[assignment]
    torch.sqrt = None  # type: ignore[assignment]
    raise RuntimeError("a task that has changed torch")


def _leave_a_child() -> None:
    subprocess.Popen(["sleep", "10000"])
    os._exit(4)


def _allocate() -> None:
    blocks = []
    while True:
        blocks.append(bytearray(os.urandom(1)) * (64 << 20))


TROUBLES = {
    1000: (_raise, "crashed"),
    2000: (_raise_unprintable, "crashed"),
    3000: (_raise_interrupt, "crashed"),
    4000: (_exit, "crashed"),
    5000: (_exit_at_once, "crashed"),
    6000: (_segfault, "crashed"),
    7000: (_loop, "timeout"),
    8000: (_sleep_in_c, "timeout"),
    9000: (_ignore_sigterm, "timeout"),
    10000: (_flood, "ok"),
    11000: (_patch_and_raise, "crashed"),
    12000: (_leave_a_child, "crashed"),
    13000: (_allocate, "oom"),
}
"""By the mark of a genome, which all its weights are near to: the trouble, and the status expected of its outcome."""


class BadTask(DigitsMLP):
    """`digits-mlp`, in which the trouble of a mark happens if the mean of a candidate's first tensor is near it."""

    name = "bad"
    rungs = (Rung(10, 16), Rung(10, 16))  # rung 1 has ten times the time limit

    def measure(self, params, split):  # type: ignore[no-untyped-def]
        first = next(iter(params.values()))
        for row in first.reshape(len(first), -1):
            trouble = TROUBLES.get(round(float(row.mean().abs())))
            if trouble is not None:
                trouble[0]()
        return super().measure(params, split)
