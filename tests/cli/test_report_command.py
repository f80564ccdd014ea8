"""`germline report`: one file, which is not replaced by accident."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from germline.db.store import Store


@pytest.mark.slow
def test_a_report_is_one_file_with_the_data_of_its_run(germline: Any, searched: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    result = germline("report", "first", "-o", path, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"run": "first", "path": str(path), "bytes": path.stat().st_size}
    text = path.read_text(encoding="utf-8")
    markup = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)  # without the code of the libraries
    assert re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(?!data:)', markup) == []
    islands = dict(re.findall(r'<script type="application/json" id="(\w+)-data">(.*?)</script>', text))
    with Store(str(searched), create=False) as store:
        winner = store.winner("first")
    assert winner is not None
    assert json.loads(islands["tree"])["nodes"][0]["role"] == "line"
    assert winner.individual.birth in [node["birth"] for node in json.loads(islands["tree"])["nodes"]]
    refused = germline("report", "first", "-o", path)
    assert refused.exit_code == 2 and "exists already" in refused.stderr
    assert germline("report", "first", "-o", path, "--force").exit_code == 0


def test_a_report_needs_a_run_and_a_name_of_a_page(germline: Any, tmp_path: Path) -> None:
    assert germline("report", "missing", "-o", tmp_path / "report.html").exit_code == 2
    result = germline("report", "first", "-o", tmp_path / "report.pdf")
    assert result.exit_code == 2 and "ends in .html" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_run_without_births_has_a_report(germline: Any, tmp_path: Path) -> None:
    path = tmp_path / "waiting.html"
    assert germline("report", "waiting", "-o", path).exit_code == 0
    assert "waiting" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("missing", ["latex2mathml", "jinja2"])
@pytest.mark.parametrize("command", [("report", "first", "-o", "report.html"), ("dashboard",)])
def test_a_package_of_the_extra_that_is_missing_is_named(
    germline: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str, command: tuple[str, ...]
) -> None:
    for name in [name for name in sys.modules if name.startswith(("germline.cli.dashboard", missing))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.chdir(tmp_path)
    result = germline(*command)
    assert result.exit_code == 2 and isinstance(result.exception, SystemExit)
    assert f"needs {missing}" in result.stderr and "pip install 'germline[dashboard]'" in result.stderr
    assert list(tmp_path.iterdir()) == []
