"""The owner of a run: the process that drives it, and a check that this process is alive.

An owner is recorded as ``host:pid:start``, where ``start`` is the start time of the process in clock ticks since boot.
A process id is soon reused (in a container almost at once); the pair of id and start time is not. On a system without
``/proc`` the last part is left out.
"""

import os
from pathlib import Path


def this_process() -> str:
    """The calling process, as ``host:pid:start``."""
    state = _state(os.getpid())
    name = f"{_host()}:{os.getpid()}"
    return f"{name}:{state[1]}" if state else name


def on_this_host(owner: str) -> bool:
    """True if the owner is a process of this host, so that ``is_alive`` can check it."""
    return owner.split(":")[0] == _host()


def is_alive(owner: str) -> bool:
    """True if the owner's process runs on this host now.

    False for a zombie, and for a later process with the same id.
    """
    pid, *start = owner.split(":")[1:] or [""]
    if not pid.isdecimal() or int(pid) == 0:
        return False
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        pass  # the process exists and belongs to another user
    except (ProcessLookupError, OverflowError):
        return False
    state = _state(int(pid))
    if state is None:
        return True
    return state[0] not in "ZX" and (not start or start[0] == state[1])


def displayed(status: str, owner: str | None) -> tuple[str, str | None]:
    """Status and owner to display for a recorded status and owner.

    ``running`` without a live driver becomes ``interrupted`` without an owner. A driver on another host cannot be
    checked and counts as alive. Of a live driver ``host:pid`` is displayed.
    """
    if owner is None:
        return ("interrupted" if status == "running" else status), None
    if status == "running" and on_this_host(owner) and not is_alive(owner):
        return "interrupted", None
    return status, ":".join(owner.split(":")[:2])


def _host() -> str:
    return os.uname().nodename.replace(":", "-")


def _state(pid: int) -> tuple[str, str] | None:
    """State letter and start time (in clock ticks) of a process from ``/proc``; None without such an entry."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return fields[0], fields[19]
