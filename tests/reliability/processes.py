"""Processes that scenarios send signals to: trees of descendants, and what is left of them."""

import signal
import subprocess
import time
from collections.abc import Iterator

import psutil


def tree(pid: int) -> list[psutil.Process]:
    """A process and all its descendants; empty if it has ended."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def ended(process: subprocess.Popen[str], seconds: float) -> Iterator[str]:
    """A line if a process does not end in time; it is killed then."""
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        yield f"still alive after {seconds:g} s"


def alive(members: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """The descendants of a process, all `members` but the first, that are alive after some seconds; they are killed."""
    deadline = time.monotonic() + seconds
    while (left := [*filter(_is_alive, members[1:])]) and time.monotonic() < deadline:
        time.sleep(0.1)
    for member in left:
        send(member, signal.SIGKILL)
    return left


def _is_alive(process: psutil.Process) -> bool:
    """False also for a zombie, which has ended: only its parent, or the first process, is slow to ask how."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
