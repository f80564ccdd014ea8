"""The outcomes of a run that a session of its search knows, and the first birth of each fingerprint."""

from collections.abc import Iterable

from germline.evaluators.outcome import Outcome
from germline.search.fold import ScoreKey
from germline.search.journal import Journal


class KnownOutcomes:
    """The outcomes that this session has read or scored.

    After `read_all` these are all outcomes of the run. A session that begins from a snapshot reads only the outcomes of
    the fingerprints that it breeds (`meet`).

    Attributes:
        outcomes: by fingerprint, rung and seed.
        first_births: the first birth of each fingerprint seen so far.
        complete: True after `read_all`.
        met: fingerprints whose records were read by `meet`; not used if `complete`.
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
