"""What is remembered of genomes has a bound."""

import pytest

from germline.db.genomes import recent
from germline.db.genomes.recent import RecentTexts


def test_texts_that_were_not_used_for_longest_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST_CHARACTERS", 1000)
    texts = RecentTexts()
    for name in "abc":
        texts.add(name, name)
    assert texts.get("a") == "a"
    texts.add("d", "d")
    assert [texts.get(name) for name in "abcd"] == ["a", None, "c", "d"]
    texts.add("e", "x" * 5000)  # the last is kept, whatever its length
    assert [texts.get(name) for name in "acde"] == [None, None, None, "x" * 5000]
    texts.add("e", "e")
    texts.add("f", "f")
    assert [texts.get(name) for name in "ef"] == ["e", "f"]
