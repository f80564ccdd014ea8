"""A clock that stands still while its process is stopped or busy with something else."""

LONGEST_TICK = 1.0


class WorkClock:
    """Seconds during which this process watched its workers.

    A process that was stopped (Ctrl-Z, a laptop's lid) or waited for a database knows nothing about the work that was
    done meanwhile. So each tick adds the time since the last tick, but at most `LONGEST_TICK` seconds, and time limits
    that are measured with this clock do not expire unseen.

    Args:
        now: the time, as from `time.monotonic()`.
    """

    def __init__(self, now: float) -> None:
        self.seconds = 0.0
        self._now = now

    def tick(self, now: float) -> float:
        """Advances the clock, and returns `seconds`."""
        self.seconds += min(now - self._now, LONGEST_TICK)
        self._now = now
        return self.seconds
