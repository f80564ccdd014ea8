"""Ends a search after so many failures in a row that the scoring itself must be broken."""

from collections.abc import Mapping

from germline.evaluators.outcome import Outcome


class SearchFailed(RuntimeError):
    """The search cannot go on: too many scorings in a row have failed, or the task does not suit the strategy."""


class FailureLimit:
    """Counts failed scorings in a row; a row of `most` suggests that scoring itself is broken.

    Args:
        most: number of failures in a row that ends the search.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.in_a_row = 0

    def check(self, outcome: Outcome, any_ok: bool, failures: Mapping[str, int]) -> None:
        """Counts the next outcome.

        Args:
            outcome: of any scoring; outcomes are counted in the order in which they come.
            any_ok: True if the run has an ok outcome; then scoring works, and a genome that diverges or is rejected
                does not count.
            failures: number of failures of the whole run by status, for the message.

        Raises:
            SearchFailed: the limit is reached; the message holds the last cause.
        """
        if outcome.status in ("diverged", "rejected") and any_ok:
            return
        self.in_a_row = 0 if outcome.status == "ok" else self.in_a_row + 1
        if outcome.status != "ok" and self.in_a_row >= self.most:
            counts = ", ".join(f"{count} {status}" for status, count in sorted(failures.items()))
            raise SearchFailed(
                f"the last {self.in_a_row} scorings failed (in the whole run: {counts}); the last one: "
                f"{outcome.error or outcome.status}"
            )
