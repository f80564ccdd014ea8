"""The presenter of each kind of genome."""

from germline.cli.genome_file import kind_of
from germline.cli.presenters.architecture import ArchitecturePresenter
from germline.cli.presenters.optimizer import OptimizerPresenter
from germline.cli.presenters.policy import PolicyPresenter
from germline.cli.presenters.presenter import Presenter
from germline.search.kinds import kind_named

_PRESENTERS: tuple[Presenter, ...] = (OptimizerPresenter(), ArchitecturePresenter(), PolicyPresenter())

PRESENTERS: dict[str, Presenter] = {presenter.kind: presenter for presenter in _PRESENTERS}
"""Presenters by kind."""


def presenter_of(kind: str) -> Presenter:
    """The presenter of the kind of that name, which may come from a database of a later version.

    Raises:
        UnknownKind: there is no such kind.
    """
    return PRESENTERS[kind_named(kind).name]


def presenter_of_text(text: str) -> Presenter:
    """The presenter of the kind of a genome, from its text, which need not be valid."""
    return PRESENTERS[kind_of(text)]
