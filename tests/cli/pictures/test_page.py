"""The page of every picture: the same bytes each time, formats, and texts that do nothing."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import pytest
from svg_pictures import texts

from germline.cli.errors import UserError
from germline.cli.pictures import formats
from germline.cli.pictures.formats import FORMATS, check_picture, picture_format
from germline.cli.pictures.line_picture import line_picture
from germline.cli.pictures.page import label, picture_bytes
from germline.search.analysis.line_plot import Line, LinePlot, Point

LINES = [Line("first", [Point(0, 1.0), Point(9e9, 2.0, 0.5)], Point(9e9, 1.5, 0.1)), Line("second", [Point(3, 1.2)])]
PLOT = LinePlot(LINES, "a title", "x", "y", ["a note"])
BEGINNINGS = {"svg": b"<svg ", "png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-"}
HOSTILE = (
    r"$\frac{1}{0}$",
    "$unclosed",
    r"\input{/etc/passwd}",
    "</text><script>alert(1)</script>",
    "&amp;]]>",
    "\x1b[31mred\x07",
    "\u202eleft",
    "\ud800",
    "%n %s {0} {x}",
    "_private",
    "nul\0",
)


@pytest.mark.slow
@pytest.mark.parametrize("file_format", FORMATS)
def test_the_same_picture_has_the_same_bytes(file_format: str) -> None:
    first = picture_bytes(line_picture(PLOT), file_format)
    assert first.startswith(BEGINNINGS[file_format]) and len(first) > 3000
    assert picture_bytes(line_picture(PLOT), file_format) == first
    assert not re.search(rb"CreationDate|Matplotlib|<dc:date>|20\d\d-\d\d-\d\dT", first), "neither date nor version"


@pytest.mark.slow
def test_neither_another_process_nor_a_users_style_changes_a_picture(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nsvg.fonttype: path\ntext.usetex: True\nbackend: tkagg\n")
    code = (
        "import sys, test_page as page\n"
        "for form in page.FORMATS: sys.stdout.buffer.write(page.picture_bytes(page.line_picture(page.PLOT), form))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b"".join(picture_bytes(line_picture(PLOT), form) for form in FORMATS)


def test_a_picture_leaves_the_settings_of_matplotlib_as_they_were() -> None:
    names = [name for name in matplotlib.rcParams if name != "backend"]  # asking for which would choose one
    before = [matplotlib.rcParams[name] for name in names]
    picture_bytes(line_picture(PLOT), "svg")
    assert [matplotlib.rcParams[name] for name in names] == before and "matplotlib.pyplot" not in sys.modules


@pytest.mark.slow
@pytest.mark.parametrize("words", HOSTILE)
def test_texts_are_neither_formulas_nor_markup(words: str) -> None:
    plot = LinePlot([Line(words, [Point(1, 1.0)]), Line("other", [], label=words)], words, words, words, [words])
    source = picture_bytes(line_picture(plot), "svg")
    shown = [text for text in texts(ElementTree.fromstring(source)) if not re.fullmatch("[−0-9.]+", text)]
    expected = " ".join(label(words).split())
    assert len([text for text in shown if expected in " ".join(text.split())]) == 6, shown
    assert all(text.isprintable() for text in shown)
    for file_format in ("png", "pdf"):
        assert picture_bytes(line_picture(plot), file_format).startswith(BEGINNINGS[file_format])


def test_long_texts_are_cut() -> None:
    assert label("n" * 1_000_000) == "n" * 59 + "…" and label("two\nlines") == "two lines"
    plot = LinePlot([Line("n" * 10_000, [Point(1, 1.0)])] * 2, "t " * 10_000, "x" * 10_000, "y", ["n" * 10_000])
    assert len(picture_bytes(line_picture(plot), "svg")) < 30_000


@pytest.mark.slow
def test_letters_that_the_font_lacks_are_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    source = picture_bytes(line_picture(LinePlot([], "字 🦎", "x", "y")), "svg")
    assert "字 🦎" in texts(ElementTree.fromstring(source)) and not recwarn.list
    assert picture_bytes(line_picture(LinePlot([], "字 🦎", "x", "y")), "png") and not recwarn.list


def test_the_format_follows_from_the_name() -> None:
    assert [picture_format(Path(name)) for name in ("a.svg", "a.PNG", "a.b.pdf", "a")] == ["svg", "png", "pdf", "svg"]
    with pytest.raises(UserError, match=r"expected a name that ends in .svg, .png or .pdf, got a.jpeg"):
        picture_format(Path("a.jpeg"))


def test_without_matplotlib_a_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"expected the package matplotlib, .*; pip install matplotlib"):
        check_picture(tmp_path / "a.svg", force=False)
