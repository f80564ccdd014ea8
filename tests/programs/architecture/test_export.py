"""Exported networks: the same as what was found, on their own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from germline.programs.architecture import export
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.counts import count
from germline.programs.architecture.export import export_torch, size_facts, verified_torch
from germline.programs.architecture.network import count_built
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace
from germline.programs.export.loading import load_class
from germline.programs.export.origin import Origin
from germline.programs.export.verified import ExportMismatch

ORIGIN = Origin("a run", 3, "abc", -1.5, "digits-cells")
SIZE = Skeleton(channels=4, cells=4, classes=7, image=(2, 9, 12))


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_an_exported_network_is_the_one_that_was_found(name: str) -> None:
    rng = np.random.default_rng(0)
    space = ArchitectureSpace(SPACES[name], SIZE)
    for _ in range(4):
        genome = space.draw(rng).genome
        verified = verified_torch(genome, SIZE, ORIGIN, "Net")
        assert verified.facts == size_facts(count(genome, SIZE))
        wide = load_class(verified.content, "Net")(channels=6, cells=3, classes=5, image_channels=1)
        other = Skeleton(6, 3, 5, (1, 8, 8))
        assert count_built(wide, other.image) == count(genome, other)


@pytest.mark.slow
def test_the_file_needs_torch_alone(tmp_path: Path) -> None:
    genome = ArchitectureSpace(SPACES["eeea"], SIZE).draw(np.random.default_rng(1)).genome
    (tmp_path / "net.py").write_text(verified_torch(genome, SIZE, ORIGIN, "Net").content)
    code = "import sys, net, torch; print(net.Net()(torch.zeros(2, 2, 9, 12)).shape, 'germline' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "torch.Size([2, 7]) False"


def test_a_file_that_differs_is_not_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    genome = SPACES["darts"].smallest()
    right = export_torch(genome, SIZE, ORIGIN, "Net")
    for wrong in (
        right.replace("nn.MaxPool2d(3, stride, 1)", "nn.AvgPool2d(3, stride, 1)"),
        right.replace("bias=False)", "bias=True)", 1),
        right.replace("last.mean((2, 3))", "last.amax((2, 3))"),
        right.replace("last.mean((2, 3))", "last.mean((2, 3)) * float('nan')"),
    ):
        assert wrong != right
        monkeypatch.setattr(export, "export_torch", lambda *_, source=wrong: source)
        with pytest.raises(ExportMismatch):
            verified_torch(genome, SIZE, ORIGIN, "Net")


@pytest.mark.parametrize("name", ["Cell", "torch", "sep_conv_3x3", "not a name", ""])
def test_a_class_name_that_the_file_uses_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected a class name"):
        export_torch(SPACES["darts"].smallest(), SIZE, ORIGIN, name)


def test_what_a_run_is_called_cannot_leave_the_docstring() -> None:
    evil = Origin('x"""\nimport os', 0, "abc", None, "\\")
    source = export_torch(SPACES["nb201"].smallest(), SIZE, evil, "Net")
    assert "import os" not in source.splitlines()
    load_class(source, "Net")
