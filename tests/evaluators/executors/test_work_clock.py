"""The clock of time limits."""

from germline.evaluators.executors.work_clock import LONGEST_TICK, WorkClock


def test_the_clock_goes_on_with_the_time_but_not_while_nobody_looks() -> None:
    clock = WorkClock(100.0)
    assert [clock.tick(100.5), clock.tick(101.0)] == [0.5, 1.0]
    assert clock.tick(1000.0) == 1.0 + LONGEST_TICK
    assert clock.tick(1000.25) == 1.25 + LONGEST_TICK
