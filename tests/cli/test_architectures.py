"""Architectures on the command line, from the search to the file."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from command_line import call, data
from latency_parts import parts_of_space

from germline.cli.main import cli


def pairs(text: str) -> list[list[object]]:
    words = text.split()
    return [[name, int(source)] for name, source in zip(words[::2], words[1::2], strict=True)]


DARTS = {
    "normal": pairs(
        "sep_conv_3x3 0 sep_conv_3x3 1 sep_conv_3x3 0 sep_conv_3x3 1 "
        "sep_conv_3x3 1 skip_connect 0 skip_connect 0 dil_conv_3x3 2"
    ),
    "normal_concat": [2, 3, 4, 5],
    "reduce": pairs(
        "max_pool_3x3 0 max_pool_3x3 1 skip_connect 2 max_pool_3x3 1 "
        "max_pool_3x3 0 skip_connect 2 skip_connect 2 max_pool_3x3 1"
    ),
    "reduce_concat": [2, 3, 4, 5],
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cells") / "germline.db"
    options = ["--preset", "nb201", "--task", "nb201-cifar10", "--births", "60", "--executor", "inline"]
    done = call(path, "search", "architecture", *options, "--name", "cells")
    assert done.exit_code == 0, done.output
    return path


@pytest.mark.slow
def test_results_can_be_listed_and_printed(database: Path) -> None:
    rows = data(database, "top", "cells", "-n", "5")
    assert len(rows) == 5
    assert set(rows[0]["objectives"]) == {"validation_error", "params", "macs"}
    for command in (("top", "cells"), ("show", "cells"), ("lineage", "cells"), ("diff", "cells:0", "cells")):
        done = call(database, *command)
        assert done.exit_code == 0, done.output
        assert ("conv3" if command[0] == "top" else "nor_conv_3x3") in done.stdout
    assert data(database, "show", "cells")["params"] == rows[0]["objectives"]["params"]


@pytest.mark.slow
def test_the_front_comes_first(database: Path) -> None:
    rows = data(database, "top", "cells", "-n", "1000")
    points = [(row["objectives"]["validation_error"], row["objectives"]["params"]) for row in rows]
    beaten = [any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points) for p in points]
    size = beaten.index(True)
    assert size > 1 and all(beaten[size:])
    assert points[:size] == sorted(points[:size])
    assert f"of {size} on the front" in call(database, "top", "cells").stdout


@pytest.mark.slow
def test_a_file_in_the_convention_of_darts_is_described(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "darts.json"
    path.write_text(json.dumps(DARTS))
    (row,) = data(database, "describe", str(path))
    assert (row["kind"], row["params"], row["macs"]) == ("architecture", 3_349_342, 528_359_040)
    (small,) = data(database, "describe", str(path), "--channels", "16", "--cells", "8", "--classes", "100")
    assert small["params"] < row["params"] and small["fingerprint"] == row["fingerprint"]


def test_a_file_with_a_single_cell_is_described_as_in_nas_bench_201(database: Path, tmp_path: Path) -> None:
    names = ("nor_conv_3x3", "nor_conv_3x3", "nor_conv_3x3", "skip_connect", "nor_conv_3x3", "nor_conv_1x1")
    path = tmp_path / "best.json"
    path.write_text(json.dumps({"cell": list(zip(names, (0, 0, 1, 0, 1, 2), strict=True))}))
    (row,) = data(database, "describe", str(path))
    assert row["params"] == 1_073_466


@pytest.mark.slow
def test_a_network_is_exported_by_policy_and_drawn(database: Path, tmp_path: Path) -> None:
    out = data(database, "export", "cells", "-o", str(tmp_path / "net.py"), "--pick", "params")
    assert out["verified"] and out["target"] == "torch"
    assert f"class {out['class_name']}(nn.Module)" in (tmp_path / "net.py").read_text()
    assert call(database, "draw", "cells", "-o", str(tmp_path / "cells.svg")).exit_code == 0
    assert (tmp_path / "cells.svg").read_text().startswith("<svg")


@pytest.mark.slow
def test_a_network_is_exported_to_onnx(database: Path, tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "net.onnx"
    row = data(database, "export", "cells", "-o", str(path), "--to", "onnx", "--channels", "4", "--cells", "3")
    assert {**row, "difference": 0.0} == {
        "path": str(path),
        "target": "onnx",
        "verified": True,
        "tolerance": 1e-4,
        "fingerprint": data(database, "show", "cells")["fingerprint"],
        "difference": 0.0,
        "class_name": None,
    }
    facts = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert (facts["run"], facts["fingerprint"], facts["task"]) == ("cells", row["fingerprint"], "nb201-cifar10")
    said = call(database, "export", "cells", "-o", str(path), "--to", "onnx", "--cells", "3", "--force").stdout
    assert "its weights are initial, not trained" in said and "verified against its network" in said


@pytest.mark.slow
def test_a_limit_on_latency_is_kept_by_every_birth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from germline.evaluators.architecture import latency_measurement
    from germline.programs.architecture.latency import LatencyTable

    path = tmp_path / "germline.db"
    times = {"skip_connect": 0.01, "none": 0.02, "avg_pool_3x3": 0.3}

    def measure(cells: Any, skeleton: Any, device: str) -> LatencyTable:
        return LatencyTable({part: times.get(part.name, 0.1) for part in parts_of_space(cells, skeleton)}, device)

    def again(*_: Any) -> LatencyTable:
        raise AssertionError("measured again")

    monkeypatch.setattr(latency_measurement, "measure_table", measure)
    nb201 = ("search", "architecture", "--preset", "nb201", "--task", "nb201-cifar10", "--executor", "inline")
    nsga2 = ("--set", "strategy=nsga2", "--set", "objectives=validation_error,latency", "--set", "population=10")
    options = (*nb201, *nsga2, "--set", "block=10", "--births", "30", "--name", "quick")
    done = call(path, *options, "--set", "max_latency=10ms")
    assert done.exit_code == 0, done.output
    monkeypatch.setattr(latency_measurement, "measure_table", again)
    assert call(path, "resume", "quick", "--births", "50", "--executor", "inline").exit_code == 0
    rows = data(path, "describe", *(f"quick:{birth}" for birth in range(50)))
    assert all(0 < row["latency"] <= 10 for row in rows)
    found = data(path, "top", "quick", "-n", "1000")
    described = {row["ref"]: row["latency"] for row in rows}
    assert all(row["objectives"]["latency"] == described[f"quick:{row['birth']}"] for row in found)
    assert "ms predicted" in call(path, "describe", "quick").stdout
    assert "latency" not in data(path, "describe", "quick", "--cells", "4")[0]

    monkeypatch.setattr(latency_measurement, "measure_table", measure)
    refused = call(path, *nb201, "--set", "max_latency=1")
    assert refused.exit_code == 2
    # 15 cells of six edges, three additions and the rest; two blocks, stem and head.
    least = 15 * (6 * 0.01 + 3 * 0.1 + 0.1) + 0.4
    assert f"so fast: expected at most 1 ms of latency, got {least:g} for the fastest one" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_the_latency_of_an_architecture_is_measured(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from germline.evaluators.architecture import latency_measurement

    monkeypatch.setattr(latency_measurement, "ROUNDS", (2, 2))
    path = tmp_path / "darts.json"
    path.write_text(json.dumps(DARTS))
    (row,) = data(database, "describe", str(path), "--latency", "--channels", "4", "--cells", "3")
    assert row["latency_measured"] > 0 and "latency" not in row


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("search", "architecture", "--task", "nb201-cifar10"), "expected space nb201 for nb201-cifar10, got eeea"),
        (("search", "architecture", "--set", "max_params=1k"), "no architecture of the space is so small"),
        (("search", "architecture", "--task", "digits-mlp"), "expected a task for kind architecture"),
        (("describe", "library:lion", "--cells", "3"), "these are of architectures"),
        (("describe", "cells", "--image", "3,32"), "expected channels,height,width"),
        (("export", "cells", "-o", "x.py", "--pick", "nicest"), "expected a criterion"),
        (("export", "cells", "-o", "x.py", "--pick", "under=1"), "nothing has at most 1 parameters"),
        (("export", "cells", "-o", "x.py", "--class-name", "Cell"), "expected a class name"),
        (("export", "cells", "-o", "x.py", "--class-name", "CELL"), "write a name such as CELLNet"),
        (("export", "library:lion", "-o", "x.py", "--pick", "knee"), "expected a RUN to pick from"),
        (("validate", "cells"), "expected a task with held-out data, got nb201-cifar10"),
        (("validate", "library:lion", "cells"), "expected candidates of one kind"),
        (("validate", "library:lion", "--task", "digits-cells"), "expected a task for kind optimizer"),
        (("validate", "library:lion", "--rung", "9"), "expected a rung of digits-mlp, at most 2, got 9"),
        (("validate", "library:lion", "--cells", "3"), "these are of architectures"),
        (("validate", "cells", "--task", "cifar10-cells", "--data", "."), "no CIFAR-10 in"),
        (("export", "cells", "-o", "x.onnx"), "add --to onnx"),
        (("export", "cells", "-o", "x.onnx", "--to", "onnx", "--class-name", "Net"), "expected no --class-name"),
        (("export", "cells", "-o", "x.py", "--to", "optax"), "expected an optimizer for --to optax"),
        (
            ("export", "library:lion", "-o", "x.onnx", "--to", "onnx"),
            "expected an architecture or a policy for",
        ),
        (("describe", "cells", "--latency", "--device", "tpu"), "'tpu' is not one of 'auto', 'cpu', 'cuda'"),
        (("search", "architecture", "--set", "max_latency=fast"), "expected max_latency to be a positive number"),
        (("draw", "library:lion", "-o", "x.svg"), "expected a RUN of optimizers"),
        (("diff", "cells", "library:lion"), "expected two genomes of one kind"),
    ],
)
def test_a_mistake_is_an_error_of_one_line(database: Path, args: tuple[str, ...], message: str) -> None:
    done = call(database, *args)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not Path("x.py").exists()


def test_a_broken_file_is_an_error_of_one_line(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text(json.dumps({**DARTS, "normal": [["sep_conv_3x4", 0]] * 8}))
    done = call(database, "describe", str(path))
    assert done.exit_code == 2 and "did you mean sep_conv_3x3?" in done.stderr


def test_an_empty_json_file_is_not_an_architecture(database: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text("")
    done = call(database, "describe", str(tmp_path / "empty.json"))
    assert done.exit_code == 2 and "empty.json is empty" in done.stderr


def test_a_file_whose_name_the_export_uses_itself_is_exported(database: Path, tmp_path: Path) -> None:
    (tmp_path / "cell.json").write_text(json.dumps(DARTS))
    sizes = ("--channels", "4", "--cells", "3")
    out = data(database, "export", str(tmp_path / "cell.json"), "-o", str(tmp_path / "net.py"), *sizes)
    assert out["class_name"] == "CellNet" and out["verified"]


@pytest.mark.slow
def test_a_result_is_validated_beside_a_hand_made_network(database: Path, tmp_path: Path) -> None:
    (tmp_path / "darts.json").write_text(json.dumps(DARTS))
    sizes = ("--channels", "4", "--cells", "3", "--rung", "0")
    mine, other = data(database, "validate", str(tmp_path / "darts.json"), *sizes, "--seeds", "2")
    assert (mine["baseline"], other["baseline"], other["of"]) == (False, True, mine["ref"])
    assert mine["measure"] == "heldout_error" and len(mine["values"]) == 2 and 0 < mine["mean"] < 95
    assert abs(other["facts"]["params"] / mine["facts"]["params"] - 1) < 0.3
    shown = call(database, "validate", str(tmp_path / "darts.json"), *sizes, "--seeds", "1").stdout
    assert "heldout_error" in shown and "one fresh seed" in shown


PLUG_IN = """
from germline.evaluators.architecture.task import CellTask
from germline.evaluators.task import Rung


class Says(CellTask):
    name, rungs, image, classes = "says", (Rung(1, 1),), (1, 4, 4), 2

    def __init__(self, device="cpu"):
        pass

    def measure(self, architectures, skeleton, rung, seed, split="validation", hurdle=None):
        ANSWER


class Classless(Says):
    classes = None


class Flat(Says):
    image = (4, 4)


class Lost(Says):
    space = "nowhere"
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        ("raise ValueError('boom')", 1, "failures); the last: ValueError: boom"),
        ("return [{'validation_error': float('nan')}] * len(architectures)", 1, "validation error was nan"),
    ],
)
def test_a_task_that_fails_costs_outcomes_and_prints_the_error(
    database: Path, tmp_path: Path, answer: str, status: int, message: str
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(PLUG_IN.replace("ANSWER", answer))
    sizes = ("--set", "full_cells=3", "--set", "full_channels=4")
    done = call(database, "search", "architecture", "--task", f"{path}:Says", "--births", "4", *sizes)
    assert done.exit_code == status and message in done.stderr
    for name, expected in (
        ("Classless", "classes has to be"),
        ("Flat", "image has to be"),
        ("Lost", "space has to be"),
    ):
        refused = call(database, "search", "architecture", "--task", f"{path}:{name}", "--births", "1")
        assert refused.exit_code == 2 and expected in refused.stderr


GENOTYPE = "Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1)], normal_concat=range(2, 3), reduce=[('max_pool_3x3', 0), ('conv_7x1_1x7', 1)], reduce_concat=[2])"  # noqa: E501
CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", [GENOTYPE, CELL, "# Found by a search\nbest = " + GENOTYPE])
def test_a_file_in_the_notation_of_another_project_is_described(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "cells.txt"
    path.write_text(text, encoding=encoding)
    result = CliRunner().invoke(cli, ["describe", str(path), "--cells", "3", "--channels", "8", "--json"])
    assert result.exit_code == 0, result.stderr
    (row,) = json.loads(result.stdout)
    (same,) = json.loads(
        CliRunner().invoke(cli, ["describe", text, "--cells", "3", "--channels", "8", "--json"]).stdout
    )
    assert row["kind"] == "architecture" and row["params"] == same["params"] > 0
    assert row["fingerprint"] == same["fingerprint"]


def test_an_architecture_is_written_in_the_notation_of_another_project(tmp_path: Path) -> None:
    as_darts = CliRunner().invoke(cli, ["describe", GENOTYPE, "--as", "darts"]).stdout
    assert as_darts == GENOTYPE.replace("range(2, 3)", "[2]") + "\n"
    as_json = CliRunner().invoke(cli, ["describe", CELL, "--as", "json"]).stdout
    path = tmp_path / "cell.json"
    path.write_text(as_json)
    assert CliRunner().invoke(cli, ["describe", str(path), "--as", "nb201"]).stdout == f"{CELL}\n"
    (row,) = json.loads(CliRunner().invoke(cli, ["describe", str(path), "--as", "nb201", "--json"]).stdout)
    assert row["text"] == CELL


@pytest.mark.parametrize(
    ("reference", "notation", "message"),
    [
        (CELL, "darts", "expected a normal and a reduction cell for a genotype of DARTS, got a single cell"),
        (GENOTYPE, "nb201", "expected a single cell for a string of NAS-Bench-201, got a pair of cells"),
        ("library:lion", "darts", "expected an architecture for --as, got library:lion of kind optimizer"),
        ("|nor_conv_3x4~0|", "json", "|nor_conv_3x4~0| is not a valid genome"),
    ],
)
def test_what_cannot_be_written_so_is_an_error_of_one_line(reference: str, notation: str, message: str) -> None:
    result = CliRunner().invoke(cli, ["describe", reference, "--as", notation])
    assert result.exit_code == 2 and message in result.stderr and result.stderr.count("\n") == 1
