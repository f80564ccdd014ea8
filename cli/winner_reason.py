"""Why the winner of a run is not the individual with the highest fitness."""

from germline.db.records import RunRecord
from germline.search.kinds import kind_named
from germline.search.kinds.architecture import ArchitectureSettings


def winner_reason(run: RunRecord, reviewed: bool) -> str:
    """What the winner of a run is, in words that follow "the winner is".

    Args:
        run: the run.
        reviewed: whether individuals were reviewed.

    Raises:
        BadSetting: a setting of the run has a value that this version does not take.
    """
    if reviewed:
        return "the best of the reviews"
    settings = kind_named(run.kind).from_config(run.config["settings"])
    if settings.strategy == "eeea":
        return "the choice of EEEA-Net's code; choose with --pick instead"
    if not isinstance(settings, ArchitectureSettings):
        return "the best of the complete blocks"
    several = len(settings.objectives) > 1
    return "the knee of the front (germline top)" if several else f"the smallest {settings.objectives[0]}"
