"""How far rules of simplification hold, by name and in words. Without the rules, whose import takes seconds."""

from collections.abc import Mapping
from typing import Any

TIERS = ("exact", "almost", "bounded")

TIER_NAMES = {
    "exact": "exact",
    "almost": "almost everywhere",
    "bounded": "within a bound",
}

_RULES = {
    "exact": "exact rules",
    "almost": "rules that hold almost everywhere",
    "bounded": "rules that hold within a bound",
}


def how_simplified(steps: Mapping[str, Any]) -> str:
    """The rules by their weakest tier, and the ablation if it changed something, in words.

    Args:
        steps: as they are kept with a run: `tier`, `steps` and `ablation`. They may come from anywhere.
    """
    tier = steps.get("tier")
    parts = [_RULES.get(tier, "rules") if isinstance(tier, str) else "rules"] if steps.get("steps") else []
    ablation = steps.get("ablation")
    if isinstance(ablation, Mapping) and ablation.get("steps"):
        parts.append(f"ablation on {ablation.get('task')}, rung {ablation.get('rung')}")
    return "; ".join(parts) or "rules"
