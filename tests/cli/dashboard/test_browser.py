"""Every page in a real browser: no error, no request that leaves the machine, the keyboard, and 400 pixels."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, browser, served, visit
from command_line import call
from command_process import start_command
from hostile_texts import three_runs
from invented_runs import InventedRun

from germline.cli.dashboard.film_maker import FilmMaker
from germline.cli.dashboard.films import Films
from germline.db.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]

PAGES = ("/", *(f"/{page}?name={{}}" for page in ("run", "front", "lineage", "individual", "compare")))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "runs.db"
    three_runs(path)
    return path


@pytest.fixture(scope="module")
def port(runs: Path) -> Iterator[int]:
    with served(runs) as number:
        yield number


@pytest.fixture(scope="module")
def started() -> Iterator[Any]:
    with browser() as launched:
        yield launched


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("kind", ["optimizer", "architecture", "policy"])
def test_every_page_is_drawn_without_an_error_and_fits(
    started: Any, port: int, kind: str, width: int, scheme: str
) -> None:
    page = visit(started, width, scheme)
    for address in PAGES:
        page.open(f"http://127.0.0.1:{port}{address.format(kind)}")
        assert page.overflow <= 0, address
        assert page.page.locator("[data-state=failed]").count() == 0, address
        for chart in page.page.locator("[data-chart]").all():
            assert chart.locator("canvas, .note").count() > 0, address
    assert page.problems == []
    page.page.context.close()


def test_the_keyboard_reaches_a_run_and_compares(started: Any, port: int) -> None:
    page = visit(started).open(f"http://127.0.0.1:{port}/").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "checkbox":
            break
    page.keyboard.press("Space")
    assert page.locator("#chosen button").inner_text() == "Compare 1 run"
    page.keyboard.press("Enter")
    page.wait_for_url("**/compare?name=*")
    assert page.locator("h1").inner_text() == "Comparison"


def test_the_keyboard_opens_an_individual_of_the_tree(started: Any, port: int) -> None:
    opened = visit(started).open(f"http://127.0.0.1:{port}/lineage?name=optimizer")
    page = opened.page
    assert page.locator(".tree svg a").count() > 0
    page.locator(".tree").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('svg') !== null")
    page.keyboard.press("Enter")
    page.wait_for_url("**/individual?name=optimizer&birth=*")
    assert opened.problems == []


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (1280, "light")])
def test_the_keyboard_shows_and_hides_the_film_of_a_policy(started: Any, port: int, width: int, scheme: str) -> None:
    opened = visit(started, width, scheme).open(f"http://127.0.0.1:{port}/individual?name=policy")
    page, details = opened.page, opened.page.locator("[data-film]")
    assert page.locator("img").count() == 0
    details.locator("summary").focus()
    page.keyboard.press("Enter")
    image = page.get_by_role("img", name="Film of policy policy:")
    image.wait_for()
    while not image.evaluate("image => image.complete"):  # the test's time limit ends it
        page.wait_for_timeout(50)
    assert image.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [600, 400]
    assert details.get_attribute("data-state") == "drawn"
    assert page.get_by_role("status").inner_text().startswith("The episode with the median return of 5: seed ")
    assert opened.overflow <= 0
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Space")
    image.wait_for(state="hidden")
    assert opened.problems == []
    page.context.close()


def test_a_film_that_failed_is_asked_for_again_when_it_is_opened_again(started: Any, runs: Path) -> None:
    films = Films(FilmMaker(most_bytes=100))
    with served(runs, films) as number:
        opened = visit(started).open(f"http://127.0.0.1:{number}/individual?name=policy")
        page, summary = opened.page, opened.page.locator("[data-film] summary")
        summary.click()
        page.get_by_text("No film: its ").wait_for()
        films.stop()
        summary.click()
        summary.click()
        page.get_by_text("No film: the server is ending").wait_for()
        assert opened.problems == []


def test_other_axes_draw_another_front(started: Any, port: int) -> None:
    opened = visit(started).open(f"http://127.0.0.1:{port}/front?name=architecture")
    page = opened.page
    before = page.locator("#front-list").inner_text()
    page.locator("#axis-x").select_option("birth")
    assert page.locator("#front-list").inner_text() != before
    assert opened.problems == []


def test_a_point_of_the_chart_opens_its_individual(started: Any, port: int) -> None:
    opened = visit(started).open(f"http://127.0.0.1:{port}/front?name=optimizer")
    page = opened.page
    page.locator("#front-list a").first.click()
    page.wait_for_url("**/individual?name=optimizer&birth=*")
    assert page.locator("h2").first.inner_text().startswith("Birth ")


def test_a_report_opens_from_disk_without_a_network(started: Any, runs: Path, tmp_path: Path) -> None:
    for kind in ("optimizer", "architecture", "policy"):
        path = tmp_path / f"{kind}.html"
        result = call(shutil.copy(runs, tmp_path / "runs.db"), "report", kind, "-o", path)
        assert result.exit_code == 0, result.output
        assert path.stat().st_size < 3_000_000
        for width in (400, 1280):
            opened = visit(started, width)
            opened.page.context.set_offline(True)
            opened.open(path.as_uri())
            assert opened.page.locator(".chart canvas").count() >= 3
            assert opened.page.locator(".tree svg").count() == 1
            assert opened.overflow <= 0 and opened.problems == []
            opened.page.context.close()


def test_a_run_with_one_ok_outcome_has_axes_to_choose(started: Any, tmp_path: Path) -> None:
    path = tmp_path / "one.db"
    with Store(str(path)) as store:
        InventedRun(store, "one").block(0, [1.0, None])
    with served(path) as number:
        opened = visit(started).open(f"http://127.0.0.1:{number}/front?name=one")
        assert opened.page.locator("#axis-x option").count() >= 2
        assert opened.page.locator(".chart canvas").count() == 1
        assert opened.problems == []


def test_a_page_says_that_its_run_is_gone(started: Any, tmp_path: Path) -> None:
    path = tmp_path / "gone.db"
    with Store(str(path)) as store:
        run = InventedRun(store, "gone").block(0, [1.0, 2.0, 3.0, 4.0])
        with served(path) as number:
            opened = visit(started).open(f"http://127.0.0.1:{number}/run?name=gone")
            run.end()
            store.rename_run("gone", "renamed")
            status = opened.page.get_by_role("status")
            while status.count() == 0:  # the test's time limit ends it
                opened.page.wait_for_timeout(200)
            assert status.inner_text() == "no longer in the database under this name"
            assert opened.page.get_by_role("button", name="Stop").count() == 0
            assert opened.page.locator("[data-state=failed]").count() == 0


def test_a_page_follows_a_search_and_stops_it(started: Any, tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    small = ("lengths=0.1", "review_every=0", "population=8", "block=20")
    settings = [word for setting in small for word in ("--set", setting)]
    words = ("search", "optimizer", "--births", "1000000", "--executor", "inline", "--name", "live", *settings)
    with start_command(*words, database=path) as search:
        try:
            with Store(str(path)) as store:
                while not any(run.births >= 20 for run in store.runs()):
                    assert search.poll() is None
                    time.sleep(0.2)
            with served(path) as number:
                opened = visit(started).open(f"http://127.0.0.1:{number}/run?name=live")
                births = opened.page.locator("[data-text=births]")
                before = births.inner_text()
                while births.inner_text() == before:  # the test's time limit ends it
                    opened.page.wait_for_timeout(200)
                opened.page.get_by_role("button", name="Stop").click()
                opened.page.wait_for_url("**/run?name=live&stop=asked")
                assert opened.page.get_by_role("button", name="Stop").count() == 0
                while opened.page.locator(".state").inner_text() != "stopped":
                    opened.page.wait_for_timeout(200)
                assert opened.problems == []
            assert search.wait(60) == 0
        finally:
            search.kill()
