"""The interface through which commands show genomes, implemented for each kind."""

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
        """Name of the kind with an article: `an optimizer`."""

    @property
    def size_header(self) -> str:
        """Header of a column of `size`."""

    @property
    def one_line_header(self) -> str:
        """Header of a column of `one_line`."""

    @property
    def origin_name(self) -> str:
        """Name of the beginning of a lineage: `seed`."""

    @property
    def trial_header(self) -> str:
        """Header of the column with the result for each seed in `validate`."""

    @property
    def dead_parts(self) -> str | None:
        """Name of the parts of a genome that may be dead; None if every part is live."""

    @property
    def compared_with_start(self) -> bool:
        """Whether the fitness of individuals can be compared with that of birth 0."""

    @property
    def pickable(self) -> bool:
        """Whether `--pick` applies to runs of the kind."""

    @property
    def has_size_options(self) -> bool:
        """Whether `--channels`, `--cells`, `--classes` and `--image` apply to genomes of the kind."""

    def lines(self, text: str) -> Sequence[Line]:
        """The lines of a genome.

        Raises:
            ValueError: the text is not a valid genome of the kind.
        """

    def shorten(self, lines: Sequence[Line]) -> list[Line]:
        """The lines to print: all or, of many, the first and the last ones around a count of the others."""

    def one_line(self, text: str) -> str:
        """The genome in one line. Raises ValueError as `lines` does."""

    def first_line(self, text: str) -> Text:
        """The first genome of a lineage in one line. Raises ValueError as `lines` does."""

    def live_view(self, text: str) -> RenderableType:
        """The best genome so far, for the live view of a search. Raises ValueError as `lines` does."""

    def summary(self, facts: Facts) -> str:
        """The size of a genome in one sentence."""

    def size(self, facts: Facts) -> str:
        """The size of a genome in one word."""

    def latency(self, candidate: Candidate, sizes: Mapping[str, Any], device: str) -> float:
        """Milliseconds that the candidate takes on this machine: a network for one image, an optimizer for a step.

        Args:
            candidate: of this kind.
            sizes: of its network, in place of its run's.
            device: `cpu`, `cuda` or `auto`.

        Raises:
            UserError: genomes of this kind have no latency.
        """

    def written_as(self, candidate: Candidate, notation: str) -> str:
        """The candidate's genome in a notation of another project.

        Args:
            candidate: of this kind.
            notation: a key of `NOTATIONS`.

        Raises:
            UserError: the genome cannot be written so.
        """

    def rungs(self, task: Mapping[str, Any]) -> list[str]:
        """Lines of text about the rungs of a task, such as their training steps.

        Args:
            task: its row in `germline tasks --json`.
        """

    def score_text(self, evaluations: Sequence[EvaluationRecord]) -> str | None:
        """The most reliable score among evaluations of one individual, as text.

        None without a score, and for kinds whose most reliable score is the fitness.
        """

    def score_row(self, evaluations: Sequence[EvaluationRecord]) -> dict[str, Any]:
        """Additional keys of `show --json`, derived from a candidate's evaluations; empty for kinds that have none."""

    def print_scores(self, out: Console, candidate: Candidate, start: Candidate) -> None:
        """Prints a candidate's evaluations; `start` is birth 0 of its run."""

    def next_command(self, label: str, task: Sequence[str]) -> str:
        """A command to suggest after `show`, for the individual `RUN:BIRTH`; `task` is the option that names the run's
        task, for commands that need it, or empty."""
