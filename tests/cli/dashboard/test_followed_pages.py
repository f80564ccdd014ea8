"""Pages that follow what is recorded while they are open, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, browser, served, visit
from invented_runs import InventedRun

from germline.db.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]


@pytest.fixture(scope="module")
def started() -> Iterator[Any]:
    with browser() as launched:
        yield launched


def test_the_page_of_runs_follows_them_and_keeps_what_is_ticked(started: Any, tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with Store(str(path)) as store:
        InventedRun(store, "old").block(0, [1.0]).end()
        run = InventedRun(store, "live").block(0, [1.0, 2.0])
        with served(path) as port:
            opened = visit(started).open(f"http://127.0.0.1:{port}/")
            opened.page.locator("input[value=old]").check()
            run.block(1, [3.0, 4.0])
            opened.page.locator("#run-rows tr", has_text="live").locator("td", has_text="4.0000").wait_for()
            assert opened.page.locator("input[value=old]").is_checked()
            assert opened.page.locator("#chosen button").inner_text() == "Compare 1 run"
            run.end()
            opened.page.locator(".state.finished").nth(1).wait_for()
            assert opened.problems == []


def test_the_pages_of_a_lineage_and_of_the_winner_follow_a_search(started: Any, tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with Store(str(path)) as store:
        run = InventedRun(store, "live").block(0, [1.0, 2.0, 3.0, 4.0]).complete(0, 3)
        with served(path) as port:
            winner = visit(started).open(f"http://127.0.0.1:{port}/individual?name=live")
            lineage = visit(started).open(f"http://127.0.0.1:{port}/lineage?name=live")
            run.block(1, [5.0, 6.0, 7.0, 8.0]).complete(1, 7)
            winner.page.get_by_role("heading", name="Birth 7").wait_for()
            run.end()
            lineage.page.get_by_role("heading", name="From the first ancestor to birth 7").wait_for()
            lineage.page.locator(".tree svg a[href$='birth=7']").wait_for()
            assert lineage.problems == [] and winner.problems == []
