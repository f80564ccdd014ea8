"""Differences of texts, and the ancestors that genomes are stored as differences to."""

from random import Random

import pytest

from germline.db.genomes.difference import DEEPEST, LONGEST, Difference, applied, base_depth, difference, worthwhile
from germline.db.genomes.reading import MOST_ROWS


def test_a_difference_makes_the_text_of_its_base() -> None:
    draw = Random(1)
    for _ in range(2000):
        base, text = ("".join(draw.choices("ab\u00e4\U0001f600", k=draw.randrange(12))) for _ in range(2))
        change = difference(base, text)
        assert applied(base, change) == text
        assert change.head + change.tail <= min(len(base), len(text))


@pytest.mark.parametrize(
    ("base", "text", "expected"),
    [
        ("", "", Difference(0, 0, "")),
        ("same", "same", Difference(4, 0, "")),
        ("[[1, 2]]", "[[1, 2], [3, 4]]", Difference(7, 1, ", [3, 4]")),
        ("lr * 0.5 + m", "lr * 0.25 + m", Difference(7, 5, "2")),
        ("aaaa", "aaa", Difference(3, 0, "")),
    ],
)
def test_a_difference_has_the_longest_head_and_then_the_longest_tail(
    base: str, text: str, expected: Difference
) -> None:
    assert difference(base, text) == expected


def test_the_base_of_a_child_is_one_of_the_few_rows_of_which_its_parent_is_made() -> None:
    for depth in range(1, 5000):
        parent_rows = [depth - 1]
        while parent_rows[-1]:
            parent_rows.append(base_depth(parent_rows[-1]))
        assert base_depth(depth) in parent_rows
        assert len(parent_rows) <= sum(int(digit) for digit in f"{depth - 1:o}") + 1


def test_the_deepest_text_is_made_of_the_rows_that_are_read() -> None:
    depths = [DEEPEST]
    while depths[-1]:
        depths.append(base_depth(depths[-1]))
    assert len(depths) < MOST_ROWS
    assert [base_depth(depth) for depth in (0o3325, 0o3320, 0o3300, 0o1000)] == [0o3324, 0o3310, 0o3200, 0]


def test_a_text_that_is_mostly_new_is_no_difference() -> None:
    base = "x" * 200
    assert worthwhile(base, base + "y" * 60) == Difference(200, 0, "y" * 60)
    assert worthwhile(base, base + "y" * 200) is None
    assert worthwhile("short", "shorter") is None
    assert worthwhile("x" * LONGEST, "x" * (LONGEST + 1)) is None


@pytest.mark.parametrize(
    "change", [Difference(-1, 0, ""), Difference(0, -1, ""), Difference(3, 2, ""), Difference(9, 0, "")]
)
def test_head_and_tail_must_lie_within_the_base(change: Difference) -> None:
    with pytest.raises(ValueError, match="expected head and tail within the 4 characters of its base"):
        applied("base", change)


def test_a_difference_to_a_very_long_text_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a difference to give at most 4,000,000 characters"):
        applied("x" * LONGEST, Difference(LONGEST, 0, "y"))
