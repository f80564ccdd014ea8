"""`export`: a find as a file."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import call

from germline.db.store import Store

Data = Callable[..., Any]


@pytest.mark.slow
def test_an_exported_winner_trains(data: Data, copied: Path, tmp_path: Path) -> None:
    path = tmp_path / "winner.py"
    row = data("export", "first", "-o", path, "--class-name", "Winner", db=copied)
    assert (row["path"], row["target"], row["verified"]) == (str(path), "torch", True)
    assert row["difference"] <= row["tolerance"] <= 1e-9
    assert row["fingerprint"] == data("show", "first", db=copied)["fingerprint"]
    spec = importlib.util.spec_from_file_location("winner", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    w = torch.nn.Parameter(torch.ones(3))
    optimizer = module.Winner([w])
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = w.square().sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.slow
def test_the_run_notes_what_was_exported(data: Data, copied: Path, tmp_path: Path) -> None:
    path = tmp_path / "winner.py"
    data("export", "first", "-o", path, db=copied)
    with Store(str(copied)) as store:
        [artifact] = store.artifacts("first")
        assert artifact.birth == store.best("first").individual.birth
    assert (artifact.target, artifact.path) == ("torch", str(path))
    assert artifact.sha256 == sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
def test_export_of_the_library_prints_a_summary(germline: Any, tmp_path: Path) -> None:
    result = germline("export", "library:lion", "-o", tmp_path / "lion.py")
    assert result.exit_code == 0
    assert "verified against the interpreter to 1e-09" in result.stdout
    assert "from lion import Lion" in result.stdout
    assert "class Lion(" in (tmp_path / "lion.py").read_text()


@pytest.mark.slow
def test_an_optimizer_is_exported_as_an_optax_function(germline: Any, tmp_path: Path) -> None:
    path = tmp_path / "my_lion.py"
    result = germline("export", "library:lion", "-o", path, "--to", "optax", "--class-name", "MyLion")
    assert result.exit_code == 0, result.stderr
    assert "from my_lion import my_lion; optimizer = my_lion()" in result.stdout
    assert "verified against the interpreter to 1e-06" in result.stdout
    assert "def my_lion(\n    learning_rate: optax.ScalarOrSchedule = 0.0001,\n" in path.read_text()


def test_without_optax_nothing_is_written(germline: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optax", None)
    result = germline("export", "library:lion", "-o", tmp_path / "lion.py", "--to", "optax")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert "pip install 'germline[optax]'" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_file_that_is_there_is_replaced_only_by_force(germline: Any, tmp_path: Path) -> None:
    path = tmp_path / "lion.py"
    path.write_text("mine")
    refused = germline("export", "library:lion", "-o", path)
    assert refused.exit_code == 2 and "--force" in refused.stderr and refused.stderr.count("\n") == 1
    assert path.read_text() == "mine"
    assert germline("export", "library:lion", "-o", path, "--force").exit_code == 0
    assert "class Lion(" in path.read_text()


@pytest.mark.parametrize("where", ["missing/lion.py", ".", "x" * 300, "\x1b[31m/x.py"])
def test_a_path_that_cannot_be_written_is_refused(germline: Any, tmp_path: Path, where: str) -> None:
    result = germline("export", "library:lion", "-o", tmp_path / where)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1 and str(tmp_path) in result.stderr and "\x1b" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_target_suggests_the_nearest(germline: Any, tmp_path: Path) -> None:
    result = germline("export", "library:lion", "-o", tmp_path / "lion.py", "--to", "troch")
    assert result.exit_code == 2 and "--to torch" in result.stderr


@pytest.mark.parametrize("name", ["not a name", "class", "1st", "torch", "x" * 200])
def test_a_name_that_no_class_can_have_is_refused(germline: Any, tmp_path: Path, name: str) -> None:
    result = germline("export", "library:lion", "-o", tmp_path / "lion.py", "--class-name", name)
    assert result.exit_code == 2 and "class name" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("target", "missing"), [("onnx", "onnxruntime"), ("optax", "jax")])
def test_a_missing_package_is_named_before_anything_is_read(
    tmp_path: Path, target: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    done = call(tmp_path / "nowhere.db", "export", "nobody", "-o", str(tmp_path / "a.onnx"), "--to", target)
    if target == "optax":
        done = call(tmp_path / "nowhere.db", "export", "nobody", "-o", str(tmp_path / "a.py"), "--to", target)
    assert done.exit_code == 2 and f"{missing} is missing; pip install 'germline[{target}]'" in done.stderr


@pytest.mark.slow
def test_a_missing_package_is_named_without_importing_torch(tmp_path: Path) -> None:
    program = (
        "import sys\nsys.modules['onnx'] = None\nfrom germline.cli.main import cli\n"
        "try:\n    cli(['export', 'first', '-o', 'net.onnx', '--to', 'onnx'], standalone_mode=False)\n"
        "except Exception as error:\n    print(error.message)\n"
        "print([name for name in ('torch', 'numba', 'sqlalchemy', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert "onnx is missing" in done.stdout and done.stdout.endswith("[]\n"), done.stderr
