"""Architectures on the command line, from the search to the file."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

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


def call(database: Path, *args: str) -> Result:
    return CliRunner().invoke(cli, args, env={"GERMLINE_DB": str(database)})


def data(database: Path, *args: str) -> Any:
    done = call(database, *args, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_what_was_found_can_be_looked_at(database: Path) -> None:
    rows = data(database, "top", "cells", "-n", "5")
    assert len(rows) == 5
    assert set(rows[0]["objectives"]) == {"validation_error", "params", "macs"}
    for command in (("top", "cells"), ("show", "cells"), ("lineage", "cells"), ("diff", "cells:0", "cells")):
        done = call(database, *command)
        assert done.exit_code == 0, done.output
        assert ("conv3" if command[0] == "top" else "nor_conv_3x3") in done.stdout
    assert data(database, "show", "cells")["params"] == rows[0]["objectives"]["params"]


def test_the_front_comes_first(database: Path) -> None:
    rows = data(database, "top", "cells", "-n", "1000")
    points = [(row["objectives"]["validation_error"], row["objectives"]["params"]) for row in rows]
    beaten = [any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points) for p in points]
    size = beaten.index(True)
    assert size > 1 and all(beaten[size:])
    assert points[:size] == sorted(points[:size])
    assert f"of {size} on the front" in call(database, "top", "cells").stdout


def test_a_file_in_the_convention_of_darts_is_described(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "darts.json"
    path.write_text(json.dumps(DARTS))
    (row,) = data(database, "describe", str(path))
    assert (row["kind"], row["params"], row["macs"]) == ("architecture", 3_349_342, 528_359_040)
    (small,) = data(database, "describe", str(path), "--channels", "16", "--cells", "8", "--classes", "100")
    assert small["params"] < row["params"] and small["fingerprint"] == row["fingerprint"]


def test_a_network_is_exported_by_policy_and_drawn(database: Path, tmp_path: Path) -> None:
    out = data(database, "export", "cells", "-o", str(tmp_path / "net.py"), "--pick", "params")
    assert out["verified"] and out["target"] == "torch"
    assert f"class {out['class_name']}(nn.Module)" in (tmp_path / "net.py").read_text()
    assert call(database, "draw", "cells", "-o", str(tmp_path / "cells.svg")).exit_code == 0
    assert (tmp_path / "cells.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("search", "architecture", "--task", "nb201-cifar10"), "expected space nb201 for nb201-cifar10, got eeea"),
        (("search", "architecture", "--set", "max_params=1k"), "no architecture of the space is so small"),
        (("search", "architecture", "--task", "digits-mlp"), "expected a task for kind architecture"),
        (("describe", "library:lion", "--cells", "3"), "these are of architectures"),
        (("describe", "cells", "--image", "3,32"), "expected channels,height,width"),
        (("export", "cells", "-o", "x.py", "--pick", "nicest"), "expected a policy"),
        (("export", "cells", "-o", "x.py", "--pick", "under=1"), "nothing has at most 1 parameters"),
        (("export", "cells", "-o", "x.py", "--class-name", "Cell"), "expected a class name"),
        (("draw", "library:lion", "-o", "x.svg"), "expected an architecture to draw"),
        (("diff", "cells", "library:lion"), "expected two genomes of one kind"),
    ],
)
def test_a_mistake_gets_one_line(database: Path, args: tuple[str, ...], message: str) -> None:
    done = call(database, *args)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not Path("x.py").exists()


def test_a_broken_file_gets_one_line(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text(json.dumps({**DARTS, "normal": [["sep_conv_3x4", 0]] * 8}))
    done = call(database, "describe", str(path))
    assert done.exit_code == 2 and "did you mean sep_conv_3x3?" in done.stderr
