"""What is remembered of genomes has a bound."""

import pytest

from germline.db.genomes import recent
from germline.db.genomes.recent import Genome, RecentGenomes


def genome(text: str) -> Genome:
    return Genome("policy", None, 0, text)


def test_genomes_that_were_not_used_for_longest_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST_CHARACTERS", 1000)
    genomes = RecentGenomes()
    for name in "abc":
        genomes.add(name, genome(name))
    assert genomes.get("a") == genome("a")
    genomes.add("d", genome("d"))
    assert [name for name in "abcd" if name in genomes] == ["a", "c", "d"]
    genomes.add("e", genome("x" * 5000))  # the last is kept, whatever its length
    assert [name for name in "abcde" if name in genomes] == ["e"]
    genomes.add("e", genome("e"))
    genomes.add("f", genome("f"))
    assert genomes.get("e") == genome("e") and "f" in genomes
    genomes.drop("e")
    genomes.drop("e")
    assert genomes.get("e") is None
    genomes.clear()
    assert "f" not in genomes
