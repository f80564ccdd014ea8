"""The size of the network around an architecture's cells."""

from typing import Any

from germline.cli.candidate import Candidate
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.skeleton import Skeleton
from germline.search.kinds.architecture import ArchitectureKind, skeleton


def network_size(candidate: Candidate, architecture: Architecture, **sizes: Any) -> Skeleton:
    """The size of a candidate's network: that of its run, or without a run that of the paper.

    Args:
        candidate: of kind architecture.
        architecture: its genome.
        sizes: other values for `channels`, `cells`, `classes` or `image`.
    """
    settings = ArchitectureKind().from_config(candidate.settings) if candidate.settings else None
    return skeleton(settings, architecture, **sizes)
