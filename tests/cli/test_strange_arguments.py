"""Any text in any argument: an answer in printable lines, and an exit status, never a traceback."""

import shutil
from pathlib import Path
from typing import Any

import pytest

FORMS = """
runs --db X
top X
top first --db X
show X
show first:X
show X.json
lineage X
diff X X
describe X
describe library:X
describe first --image X
validate X
validate first --task X
compare X
curve X
curve first -o X
play X
play first --task X
play first --video X
draw X -o out.svg
draw first -o X
export X -o out.py
export first -o X
export first -o out.py --class-name X
export first -o out.py --to X
export first -o out.py --pick X
export first -o out.py --task X
db check --db X
db upgrade --db X
db backup X
doctor --db X
tasks X
presets X
stop X
resume X
resume first --task X --births 1 --executor inline
resume first --data X --births 1 --executor inline
search X
search optimizer --task X
search optimizer --preset X
search optimizer --set X
search optimizer --set start=X
search optimizer --set functions=X
search optimizer --data X --births 1 --executor inline --set lengths=0.05
search optimizer --time X
search policy --frames X
search policy --task gym:X
search policy --task atari:X
search policy --task gym:X:World-v0
search architecture --set objectives=X
X
--X
""".strip().splitlines()

STRANGE = {
    "a name of 300 bytes": "n" * 300,
    "a path of 5,000 bytes": "/tmp/" + "a" * 5_000,
    "a file of 300 bytes and a class": "n" * 300 + ".py:Task",
    "NUL": "a\0b",
    "a byte that is not UTF-8": "b\udcffx",
    "escapes": "\x1b]0;owned\x07\n\u202e",
    "nothing": "",
    "the root": "/",
    "digits": "9" * 5_000,
    "braces": "{" * 5_000,
    "emoji": "🧬" * 100,
}


@pytest.mark.slow
@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE)
def test_any_text_in_any_argument_is_answered(
    germline: Any, searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for form in FORMS:
        shutil.copy(searched, tmp_path / "copy.db")
        result = germline(*(word.replace("X", text) for word in form.split(" ")), db=tmp_path / "copy.db")
        assert result.exception is None or isinstance(result.exception, SystemExit), (form, result.exception)
        assert all(char.isprintable() or char == "\n" for char in result.output), (form, result.output)
        if "\0" in text or result.exit_code == 2:
            assert result.exit_code == 2 and result.stderr.startswith("Error: "), (form, result.stderr)
            assert result.stderr.count("\n") == 1 and len(result.stderr) < 2_100, form


def test_nul_is_refused_with_the_number_of_the_argument(germline: Any) -> None:
    result = germline("top", "first", "--db", "a\0b")
    assert result.stderr == "Error: expected text without NUL, got 'a\\x00b' as argument 4\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x" * 252 + ".py", "🧬" * 63 + ".py", "a b%20'\"é.py", "\udcff.py", "-o.py"])
def test_every_name_that_a_file_system_allows_can_be_written(germline: Any, tmp_path: Path, name: str) -> None:
    for _ in range(2):  # the second time replaces the file
        result = germline("export", "library:lion", "--force", "-o", tmp_path / name)
        assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir()] == [name]
