"""Commands of the documentation with budgets that the suite can afford: the same command, on less.

A search gets a few births in this process instead of thousands on Ray; a comparison gets fewer trials, seeds and steps,
in this process too.
Nothing else of a command changes.
"""

import re
from itertools import pairwise

BIRTHS = {"optimizer": "10", "architecture": "4", "policy": "40"}
_BUDGETS = ("--births", "--evaluations", "--frames", "--time", "--workers", "--executor")
_UNLESS_GIVEN = {
    "optimizer": {"review_every": "0", "population": "8", "lengths": "0.1"},
    "architecture": {"block": "4", "population": "4"},
    "policy": {},
}
_ALWAYS = {
    "optimizer": {},
    "architecture": {},
    "policy": {"test_episodes": "2", "episodes": "1", "review_episodes": "1"},
}


def smaller(words: list[str]) -> list[str]:
    """The words of a command after `germline`, with a small budget."""
    words = [re.sub(r"^text-\w+(?:@[\w=,]*)?$", lambda match: _short(match[0]), word) for word in words]
    match words[0]:
        case "search":
            return _search(words)
        case "resume":
            return [*_without(words, *_BUDGETS), "--births", "50", "--executor", "inline"]
        case "validate" if "--against" in words:
            fewer = ("--trials", "2", "--seeds", "2", "--lengths", "0.1", "--executor", "inline")
            return [*_without(words, *fewer[::2], "--rung", "--workers"), *fewer]
        case "validate":
            return [*_without(words, "--seeds", "--rung"), "--seeds", "1", "--rung", "0"]
        case "simplify" if "--ablate" in words:
            return [*_without(words, "--seeds", "--rung"), "--seeds", "2", "--rung", "0"]
        case "play":
            return [*_without(words, "--episodes"), "--episodes", "1"]
    return words


def _short(task: str) -> str:
    """A task of text, of 10 steps."""
    if "steps=" in task:
        return re.sub(r"steps=\d+", "steps=10", task)
    return f"{task},steps=10" if "@" in task else f"{task}@steps=10"


def _search(words: list[str]) -> list[str]:
    kind = words[1]
    given = {word.partition("=")[0] for before, word in pairwise(words) if before == "--set"}
    settings = {key: value for key, value in _UNLESS_GIVEN[kind].items() if key not in given} | _ALWAYS[kind]
    added = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    if "--seeds" in words:
        words = [*_without(words, "--seeds"), "--seeds", "2"]
    return [*_without(words, *_BUDGETS), *added, "--births", BIRTHS[kind], "--executor", "inline"]


def _without(words: list[str], *options: str) -> list[str]:
    """The words without these options and their values."""
    dropped = {i for i, word in enumerate(words) if word in options}
    return [word for i, word in enumerate(words) if i not in dropped and i - 1 not in dropped]
