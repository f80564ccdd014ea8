"""The presenter of each kind of genome."""

from germline.cli.genome_file import kind_of
from germline.cli.presenters.presenter import Presenter
from germline.programs.late_classes import LateClasses
from germline.search.kinds import kind_named

PRESENTERS: LateClasses[Presenter] = LateClasses(
    {
        "optimizer": "germline.cli.presenters.optimizer:OptimizerPresenter",
        "architecture": "germline.cli.presenters.architecture:ArchitecturePresenter",
        "policy": "germline.cli.presenters.policy:PolicyPresenter",
    }
)
"""Presenters by the name of their kind."""


def presenter_of(kind: str) -> Presenter:
    """The presenter of the kind of that name, which may come from a database of a later version.

    Raises:
        UnknownKind: there is no such kind.
    """
    return PRESENTERS[kind_named(kind).name]


def presenter_of_text(text: str) -> Presenter:
    """The presenter of the kind of a genome, from its text, which need not be valid."""
    return PRESENTERS[kind_of(text)]
