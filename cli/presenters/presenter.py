"""What commands need to show genomes of a kind: one interface, an implementation for each kind."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from rich.console import Console, RenderableType
from rich.text import Text

from germline.cli.candidate import Candidate
from germline.cli.genome_line import Line
from germline.db.records import EvaluationRecord

Facts = Mapping[str, Any]
"""What `describe` of a kind returns for a genome."""


class Presenter(Protocol):
    """Text about genomes of one kind."""

    @property
    def kind(self) -> str:
        """Name of the kind."""

    @property
    def noun(self) -> str:
        """Name of the kind with its article: `an optimizer`."""

    @property
    def size_header(self) -> str:
        """Header of a column of `size`."""

    @property
    def one_line_header(self) -> str:
        """Header of a column of `one_line`."""

    @property
    def origin_name(self) -> str:
        """What a lineage begins with: `seed`."""

    @property
    def trial_header(self) -> str:
        """Header of a column with the result of each repetition in `validate`."""

    @property
    def dead_parts(self) -> str | None:
        """Name of the parts of a genome that may be dead; None if every part is live."""

    @property
    def compared_with_start(self) -> bool:
        """Whether fitness is comparable with that of the start program, birth 0."""

    @property
    def pickable(self) -> bool:
        """Whether `--pick` chooses among the genomes of a run."""

    @property
    def has_size_options(self) -> bool:
        """Whether the size of a genome's network can be chosen: `--channels`, `--cells`, `--classes`, `--image`."""

    def lines(self, text: str) -> Sequence[Line]:
        """The lines of a genome.

        Raises:
            ValueError: the text is not a valid genome of the kind.
        """

    def shorten(self, lines: Sequence[Line]) -> list[Line]:
        """The lines to show of many: all, or the first and the last and a count of the others."""

    def one_line(self, text: str) -> str:
        """The genome in one line; raises ValueError as `lines`."""

    def first_line(self, text: str) -> Text:
        """The genome at the beginning of a lineage, in one line; raises ValueError as `lines`."""

    def live_view(self, text: str) -> RenderableType:
        """The best genome so far in the live view of a search; raises ValueError as `lines`."""

    def summary(self, facts: Facts) -> str:
        """The size of a genome in one sentence."""

    def size(self, facts: Facts) -> str:
        """The size of a genome in one word."""

    def latency(self, candidate: Candidate, sizes: Mapping[str, Any], device: str) -> float:
        """Milliseconds that the candidate's network takes for one image on this machine.

        Args:
            candidate: of this kind.
            sizes: of its network, where they differ from those of its run.
            device: `cpu`, `cuda` or `auto`.

        Raises:
            UserError: genomes of this kind have no latency.
        """

    def rungs(self, task: Mapping[str, Any]) -> list[str]:
        """What each rung of a task takes, in lines of text.

        Args:
            task: its row in `germline tasks --json`.
        """

    def score_text(self, evaluations: Sequence[EvaluationRecord]) -> str | None:
        """The decisive score among evaluations of one individual, in words.

        None if there is none, and for kinds whose fitness is decisive.
        """

    def score_row(self, evaluations: Sequence[EvaluationRecord]) -> dict[str, Any]:
        """Keys for `show --json` about a candidate's evaluations; empty for most kinds."""

    def print_scores(self, out: Console, candidate: Candidate, start: Candidate) -> None:
        """Prints a candidate's evaluations; `start` is birth 0 of its run."""

    def next_command(self, label: str) -> str:
        """A command worth running next on an individual, by its label `RUN:BIRTH`."""
