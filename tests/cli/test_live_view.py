"""The live view of a search: what it says while reviews are scored, and where its lines end."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from germline.cli.live_view import _View
from germline.cli.phrases import Phrases, lines_of
from germline.db.store import Store
from germline.search.progress import Progress
from germline.search.run import evolve, new_run

PHRASES = ["96 births", "104 evaluations (3.2/s)", "cache hits 12%", "failed: 3 crashed, 11 diverged", "best -0.1237"]
REVIEWED = ("population=8", "lengths=0.1,0.2", "warmup=0", "review_every=16", "block=16", "pack=4")


@pytest.mark.parametrize("width", range(31, 120))
def test_no_line_ends_within_a_phrase(width: int) -> None:
    lines = lines_of(PHRASES, width)
    assert [phrase for line in lines for phrase in line.split("  ")] == PHRASES
    assert max(map(len, lines)) <= width


def test_a_phrase_wider_than_the_line_is_broken_between_words() -> None:
    shown = io.StringIO()
    Console(file=shown, width=20).print(Phrases(PHRASES))
    assert [line.rstrip() for line in shown.getvalue().splitlines()][:3] == ["96 births", "104 evaluations", "(3.2/s)"]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_the_counts_of_the_panel_are_whole_at_each_width(searched: Path, width: int) -> None:
    with Store(str(searched)) as store:
        view = _View(store.run("first"), 1000, 600.0)
    view.keep(Progress(births=96, evaluations=960, failures={"crashed": 3, "diverged": 11}, dead_share=0.31))
    view.keep(replace(view.last or Progress(), births=300, evaluations=2000))
    shown = io.StringIO()
    Console(file=shown, width=width).print(view.panel())
    text = shown.getvalue()
    for phrase in (r"300 births \([\d.]+/s\)", r"2000 evaluations \([\d.]+/s\)", "cache hits 0%", "failed: 3 crashed"):
        assert re.search(phrase, text), text


def test_a_search_that_reviews_says_so_and_shows_no_rate_of_zero(searched: Path) -> None:
    with Store(str(searched)) as store:
        view = _View(store.run("first"), None, None)
    view.keep(Progress(births=96))
    assert view._counts(Progress(births=96, evaluations=90, reviewing=12))[:2] == ["96 births", "reviewing, 12 to go"]


@pytest.mark.slow
def test_the_progress_of_a_search_counts_the_reviews_to_come(tmp_path: Path) -> None:
    with Store(str(tmp_path / "runs.db")) as store:
        run = new_run(store, births=64, settings=REVIEWED)
        events = list(evolve(store, run.name, executor="inline", device="cpu"))
    waiting = [event.reviewing for event in events]
    reviews = events[-1].reviews
    assert reviews > 0 and max(waiting) > 0 and waiting[-1] == 0
    assert all(event.reviews + event.reviewing <= reviews for event in events)
    assert any(event.reviewing and event.births < 64 for event in events)  # not only those of the closing
