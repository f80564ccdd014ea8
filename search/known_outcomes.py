"""The outcomes of a run that a session of its search knows, and the first birth of each fingerprint."""

from collections.abc import Iterable

from germline.evaluators.outcome import Outcome
from germline.search.fold import ScoreKey
from germline.search.journal import Journal


class KnownOutcomes:
    """All outcomes of a run or, in a session that begins from a snapshot, those of the fingerprints it has met.

    Attributes:
        outcomes: by fingerprint, rung and seed.
        first_births: the first birth with each fingerprint.
        complete: True if all outcomes are known.
        met: unless `complete`, the fingerprints whose recorded outcomes were read.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.outcomes: dict[ScoreKey, Outcome] = {}
        self.first_births: dict[str, int] = {}
        self.complete = False
        self.met: set[str] = set()

    def read_all(self) -> None:
        """Reads every recorded outcome. First births are left to the loop, which adds them block by block."""
        self.outcomes.update(self.journal.outcomes())
        self.complete = True

    def meet(self, fingerprints: Iterable[str]) -> None:
        """Reads the recorded outcomes and the first births of these fingerprints, unless they are known already."""
        if self.complete:
            return
        new = [fingerprint for fingerprint in dict.fromkeys(fingerprints) if fingerprint not in self.met]
        self.met.update(new)
        for birth, key, outcome in self.journal.outcomes_of(new):
            self.outcomes[key] = outcome
            if key[1:] == (0, 0):
                self.first_births.setdefault(key[0], birth)
