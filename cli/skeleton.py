"""The skeleton (number of cells, channels, image shape, classes) of the full network of a candidate architecture."""

from typing import Any

from germline.cli.candidate import Candidate
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.skeleton import Skeleton
from germline.search.kinds.architecture import ArchitectureSettings
from germline.search.kinds.architecture_network import skeleton


def skeleton_of(candidate: Candidate, architecture: Architecture, **sizes: Any) -> Skeleton:
    """The skeleton of a candidate's full network: that of its run or, without a run, that of the papers.

    Args:
        candidate: of kind architecture.
        architecture: its genome.
        sizes: other values for `channels`, `cells`, `classes` or `image`.
    """
    settings = candidate.settings
    return skeleton(settings if isinstance(settings, ArchitectureSettings) else None, architecture, **sizes)
