"""Films of policies on pages: the film that `germline play` writes, or one line in its place."""

import asyncio
import html
import io
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from browser import served
from command_line import call, data
from command_process import start_command
from installed_rooms import hide_package, install_rooms
from page_client import Answer, Client
from PIL import Image, ImageSequence

from germline.cli.dashboard import film_maker, films
from germline.cli.dashboard.film import Film, FilmOrder, NoFilm
from germline.cli.dashboard.film_maker import FilmMaker
from germline.cli.dashboard.films import Films
from germline.programs.policy.genome import Policy, write
from germline.programs.policy.network import Network

pytestmark = pytest.mark.slow

GENOME = write(Policy(Network("mlp", (4,), 2, (4,)), 3))
PART = "/parts/film?name=cp&birth=13"
IMAGE = "/film.gif?name=cp&birth=13"
EVIL = "from pathlib import Path\nPath({trace!r}).write_text('imported')\n"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a short run on CartPole."""
    path = tmp_path_factory.mktemp("played") / "germline.db"
    options = ("--set", "population=10", "--set", "candidates=0", "--set", "test_episodes=0", "--set", "steps=60")
    words = ("search", "policy", "--task", "gym:CartPole-v1", "--executor", "inline", "--births", "20", "--name", "cp")
    done = call(path, *words, *options)
    assert done.exit_code == 0, done.output
    return path


@pytest.fixture(scope="module")
def port(played: Path) -> Iterator[int]:
    with served(played) as number:
        yield number


@pytest.fixture
def on(played: Path, tmp_path: Path) -> Callable[[str], Path]:
    """``on(task)``: the database, as if the run had been on that task."""

    def make(task: str) -> Path:
        path = tmp_path / "other.db"
        path.write_bytes(played.read_bytes())
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE run SET task = ?", (task,))
            connection.commit()
        return path

    return make


def problem(answer: Answer) -> str:
    """The one line in place of a film, with nothing else in the part of the page."""
    assert answer.status == 200
    [line] = re.fullmatch(r"\s*<p>(.*)</p>\s*", answer.text, re.DOTALL).groups()  # type: ignore[union-attr]
    assert "\n" not in line and "<" not in line
    return html.unescape(line)


def order(task: str, genome: str = GENOME) -> FilmOrder:
    return FilmOrder("cp:13", genome, task, 0)


def refusal(task: str, maker: FilmMaker | None = None) -> str:
    with pytest.raises(NoFilm) as raised:
        (maker or FilmMaker()).make(order(task))
    return str(raised.value)


def test_the_film_of_a_page_is_the_film_that_play_writes(
    port: int, played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Client(port).ask("/individual?name=cp&birth=13").text
    [address] = re.findall(r'<details class="film" data-film="([^"]+)"><summary>Watch</summary>', page)
    assert html.unescape(address) == PART and "<img" not in page
    assert "germline play cp:13 --video film.gif" in page
    part = Client(port).ask(PART)
    assert part.status == 200 and part.headers["cache-control"] == "no-store"
    [source, width, height, alt] = re.findall(r'<img src="(.*?)" width="(\d+)" height="(\d+)" alt="(.*?)">', part.text)[
        0
    ]
    assert (html.unescape(source), width, height) == (IMAGE, "600", "400")
    monkeypatch.setattr(FilmMaker, "make", lambda *_: pytest.fail("made again"))
    image = Client(port).ask(IMAGE)
    assert image.headers["content-type"] == "image/gif" and image.headers["x-content-type-options"] == "nosniff"
    path = tmp_path / "film.gif"
    row = data(played, "play", "cp:13", "--video", path)
    assert image.body == path.read_bytes()
    episode = row["episodes"][row["video_seed"]]
    shown = f"seed {episode['seed']}, return {episode['return']:.4f}, {episode['length']} decisions"
    assert alt == f"Film of policy cp:13 on gym:CartPole-v1: the episode of {shown}"
    assert f"The episode with the median return of 5: {shown}." in part.text


@pytest.mark.parametrize("task", ["{folder}/evil.py:Evil", "evil.py:Evil", "gym:evil:CartPole-v1"])
def test_a_task_that_is_code_is_not_imported_and_the_page_says_how_to_film_it(
    on: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    trace = tmp_path / "trace"
    (tmp_path / "evil.py").write_text(EVIL.format(trace=str(trace)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    name = task.format(folder=tmp_path)
    path, command = on(name), f"germline play cp:13 --task {name} --video film.gif"
    with served(path) as number:
        page = html.unescape(Client(number).ask("/individual?name=cp&birth=13").text)
        assert command in page and "it is not imported here. If you trust it:" in page and "<details" not in page
        assert "code that a database must not choose" in problem(Client(number).ask(PART))
        assert Client(number).ask(IMAGE).status == 404
    assert call(path, "report", "cp", "-o", tmp_path / "report.html").exit_code == 0
    report = html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert f"--task {name} --video film.gif" in report and "data:image/gif" not in report
    assert "code that a database must not choose" in refusal(name)  # the process would refuse it too
    assert not trace.exists()


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("gym:<script>alert(1)</script>", "expected an environment of gymnasium, got "),
        ("atari:../../etc/passwd", "expected a game of ale-py, got '../../etc/passwd'"),
        ("gym:\x1b]0;owned\x07\u202e", "unknown task"),
        ("x" * 100_000, "unknown task"),
        ("digits-mlp", "expected a task for policies, got digits-mlp"),
        ("gym:Pendulum-v1", "with observations [3]"),
    ],
    ids=["markup", "a path", "escapes", "long", "another kind", "another environment"],
)
def test_a_task_that_the_policy_cannot_play_is_one_line(on: Callable[[str], Path], task: str, message: str) -> None:
    with served(on(task)) as number:
        line = problem(Client(number).ask(PART))
        assert line.startswith("No film: ") and message in line and line.isprintable() and len(line) <= 700
        assert Client(number).ask(IMAGE).status == 404


def test_a_genome_that_is_no_policy_is_one_line(played: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(played.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE genome SET text = '<b>no policy</b>', base = NULL")
        connection.commit()
    with served(path) as number:
        page = Client(number).ask("/individual?name=cp&birth=13").text
        assert "this genome cannot be read" in page and "film" not in page
        assert "cp:13 is not a valid genome" in problem(Client(number).ask(PART))


def test_what_is_no_policy_has_no_film(searched: Path) -> None:
    with served(searched) as number:
        assert "film" not in Client(number).ask("/individual?name=first").text
        for address in ("/parts/film?name=first", "/film.gif?name=first", "/parts/film?name=gone", "/parts/film"):
            answer = Client(number).ask(address)
            assert answer.status == 404 and "Not shown" in answer.text


def test_another_site_cannot_make_the_server_compute_by_a_tab(port: int) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    address = "/film.gif?name=cp&birth=5"
    assert Client(port).ask(address, headers=headers).status == 404
    assert "open the page of the individual" in problem(
        Client(port).ask(address.replace("film.gif", "parts/film"), headers=headers)
    )


@pytest.mark.parametrize("package", ["pygame", "PIL"])
def test_a_package_that_is_missing_is_named_with_the_command_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    hide_package(package, tmp_path, monkeypatch)
    line = refusal("gym:CartPole-v1")
    assert package in line and "pip install 'germline[video]'" in line


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("dark", "expected a task that can be filmed, got dark: its environments have no picture(slot)"),
        ("locked", "every episode of locked failed; the first: OSError: the door is locked"),
        ("fatal", "its process ended with SIGKILL"),
        ("noisy", "are more than the 1000 B that are shown"),
    ],
)
def test_an_environment_that_gives_no_film_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, message: str
) -> None:
    install_rooms(tmp_path, monkeypatch)
    line = refusal(task, FilmMaker(1000))
    assert line.endswith(message)


def test_pictures_of_floats_are_filmed_and_what_is_printed_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_rooms(tmp_path, monkeypatch)
    film = FilmMaker().make(order("bright"))
    assert (film.width, film.height, film.seed, film.decisions, film.whole) == (
        16,
        12,
        2,
        5,
        True,
    )  # of five equals the third
    pictures = [
        frame.convert("RGB").getpixel((3, 3)) for frame in ImageSequence.Iterator(Image.open(io.BytesIO(film.image)))
    ]
    assert pictures[0] == (255, 255, 255) and pictures[-1] == (255, 128, 0)


def test_a_long_episode_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_rooms(tmp_path, monkeypatch)
    film = FilmMaker().make(order("endless"))
    assert (film.decisions, film.whole) == (2_000, False)


def test_a_film_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_rooms(tmp_path, monkeypatch)
    monkeypatch.setattr(film_maker, "SECONDS", 0.5)
    assert refusal("slow") == "it takes more than 0.5 s to make"
    assert children_with(tmp_path) == []


def children_with(folder: Path) -> list[str]:
    """The processes that have a folder on their path of packages (Linux)."""
    listed = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and process.name != str(os.getpid()):
            try:
                environment = (process / "environ").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in environment:
                listed.append(process.name)
    return listed


def test_other_pages_and_films_that_are_kept_are_answered_while_a_film_is_made(
    on: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_rooms(tmp_path, monkeypatch)
    making = Films(FilmMaker())
    answers: list[Answer] = []
    with served(on("slow"), making) as number:
        asking = threading.Thread(target=lambda: answers.append(Client(number).ask(PART)))
        asking.start()
        while not children_with(tmp_path):
            time.sleep(0.05)
        for address in ("/", "/individual?name=cp&birth=13", "/run?name=cp"):
            assert Client(number).ask(address).status == 200
        assert asking.is_alive() and answers == []
        making.stop()
        asking.join(30)
        assert "the server is ending" in problem(answers[0])
        assert children_with(tmp_path) == []
        assert "the server is ending" in problem(Client(number).ask(PART))  # no other is begun


def test_films_are_made_one_at_a_time_kept_for_a_while_and_waited_for_by_few(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    at_work = threading.Lock()

    def make(maker: FilmMaker, order: FilmOrder) -> Film:
        assert at_work.acquire(blocking=False), "two at a time"
        made.append(order.label)
        time.sleep(0.01)
        at_work.release()
        return Film(b"", 1, 1, 0, 0.0, 1, True)

    monkeypatch.setattr(FilmMaker, "make", make)

    async def ask(names: list[str]) -> list[Film | BaseException]:
        return await asyncio.gather(
            *(kept.get(FilmOrder(name, GENOME, "bright", 0)) for name in names), return_exceptions=True
        )

    async def scenario() -> None:
        await ask(["a", "a", "b", "a"])
        assert made == ["a", "b"]
        await ask([str(number) for number in range(films.KEPT)])
        await ask(["a"])
        assert made[-1] == "a" and made.count("a") == 2
        answers = await ask([f"other {number}" for number in range(films.MOST_ASKING + 1)])
        assert [str(answer) for answer in answers if isinstance(answer, BaseException)] == [
            f"{films.MOST_ASKING} films are being made; ask again in a minute"
        ]

    kept = Films(FilmMaker())
    asyncio.run(scenario())


def test_a_signal_ends_a_dashboard_that_makes_a_film(
    on: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_rooms(tmp_path, monkeypatch)
    with start_command("dashboard", "--port", "0", database=on("slow")) as process:
        try:
            assert process.stdout is not None
            [number] = re.findall(r":(\d+)/", process.stdout.readline())
            answers: list[Answer] = []
            asking = threading.Thread(target=lambda: answers.append(Client(int(number)).ask(PART)))
            asking.start()
            while len(children_with(tmp_path)) < 2:  # the server, and the process of the film
                time.sleep(0.05)
            process.terminate()
            assert process.wait(30) == 128 + signal.SIGTERM
            asking.join(30)
            assert "the server is ending" in problem(answers[0])
            assert children_with(tmp_path) == []
        finally:
            process.kill()


def test_pages_of_policies_import_nothing_that_plays(played: Path) -> None:
    program = (
        "import sys\nfrom germline.cli.dashboard.pages import Pages\nfrom germline.cli.dashboard.reader import Reader\n"
        f"pages = Pages(Reader({str(played)!r}), '')\npages.individual('cp', 13)\npages.film_order('cp', 13)\n"
        "heavy = {'torch', 'numba', 'gymnasium', 'PIL'} & set(sys.modules)\nassert not heavy, heavy"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_a_report_has_the_film_of_its_winner_if_it_is_small(
    played: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    assert call(played, "report", "cp", "-o", path).exit_code == 0
    text = path.read_text(encoding="utf-8")
    assert (
        len(
            re.findall(r'<img src="data:image/gif;base64,[^"]+" width="600" height="400" alt="Film of policy cp:', text)
        )
        == 1
    )
    assert path.stat().st_size < 3_000_000 and '<details class="film" open>' in text
    monkeypatch.setattr("germline.cli.dashboard.report.MOST_FILM_BYTES", 1000)
    assert call(played, "report", "cp", "-o", path, "--force").exit_code == 0
    text = path.read_text(encoding="utf-8")
    assert "are more than the 1000 B that are shown" in text and "data:image/gif" not in text
    assert re.search(r"germline play cp:\d+ --video film.gif", text)


def test_a_report_of_another_kind_plays_nothing(
    searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FilmMaker, "make", lambda *_: pytest.fail("a film was made"))
    assert call(searched, "report", "first", "-o", tmp_path / "report.html").exit_code == 0
    assert quote("film") not in re.sub(
        r"<(script|style)>.*?</\1>", "", (tmp_path / "report.html").read_text(), flags=re.DOTALL
    )
