"""Who drives a run, and whether that process still lives.

An owner is recorded as ``host:pid:start``, where ``start`` is the process's start in clock ticks since boot: a process
id is soon given to somebody else (in a container nearly at once), the pair is not. Where the system does not tell the
start, the last part is left out.
"""

import os
from pathlib import Path


def this_process() -> str:
    """The owner text of the calling process."""
    state = _state(os.getpid())
    name = f"{_host()}:{os.getpid()}"
    return f"{name}:{state[1]}" if state else name


def on_this_host(owner: str) -> bool:
    """Whether the owner's process can be looked at from here."""
    return owner.split(":")[0] == _host()


def is_alive(owner: str) -> bool:
    """Whether the owner's process runs on this host now; a zombie or a later process with its id does not count."""
    pid, *start = owner.split(":")[1:] or [""]
    if not pid.isdecimal() or int(pid) == 0:
        return False
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        pass  # it exists and belongs to somebody else
    except (ProcessLookupError, OverflowError):
        return False
    state = _state(int(pid))
    if state is None:
        return True
    return state[0] not in "ZX" and (not start or start[0] == state[1])


def shown(status: str, owner: str | None) -> tuple[str, str | None]:
    """Status and owner as every reader sees them: ``running`` without a live driver is ``interrupted``.

    A driver on another host cannot be looked at and is believed to live.
    """
    if owner is None:
        return ("interrupted" if status == "running" else status), None
    if status == "running" and on_this_host(owner) and not is_alive(owner):
        return "interrupted", None
    return status, ":".join(owner.split(":")[:2])


def _host() -> str:
    return os.uname().nodename.replace(":", "-")


def _state(pid: int) -> tuple[str, str] | None:
    """State letter and start tick of a process from Linux's /proc, or None where that is not to be had."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return fields[0], fields[19]
