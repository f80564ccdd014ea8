"""Simplification: a program as small as rules make it, with the steps that lead to it."""

from germline.programs.optimizer.simplify.engine import Simplified, Step, simplify
from germline.programs.optimizer.simplify.rule import TIERS, Tier

__all__ = ["TIERS", "Simplified", "Step", "Tier", "simplify"]
