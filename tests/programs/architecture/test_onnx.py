"""ONNX files: the same network in another runtime, at every operation and size."""

import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from germline.programs.architecture import onnx_file
from germline.programs.architecture.cells import SPACES, CellSpace
from germline.programs.architecture.counts import count
from germline.programs.architecture.export import size_facts
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.network import Network
from germline.programs.architecture.onnx_file import TOLERANCE, TooLarge, verified_onnx
from germline.programs.architecture.operations import OPERATIONS
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace
from germline.programs.export.onnx_graph import OnnxMissing
from germline.programs.export.origin import Origin
from germline.programs.export.verified import ExportMismatch

ORIGIN = Origin("a run", 3, "abc", -1.5, "digits-cells")
SIZE = Skeleton(channels=4, cells=4, classes=7, image=(2, 9, 12))
SIZES = (SIZE, Skeleton(3, 5, 5, (3, 7, 7)), Skeleton(2, 1, 2, (1, 5, 5)), Skeleton(4, 3, 3, (1, 1, 1)))


def genome() -> Architecture:
    """One with reductions, residuals and pools."""
    return ArchitectureSpace(SPACES["eeea"], SIZE).draw(np.random.default_rng(1)).genome


def uniform(operation: str, inputs: int) -> Architecture:
    """A genome in which every edge is one operation."""
    return CellSpace((operation,), nodes=2, inputs=2 if inputs == 2 else 1).smallest()


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("inputs", [1, 2])
def test_every_operation_comes_to_the_same_logits(operation: str, inputs: int) -> None:
    found = uniform(operation, inputs)
    for size in SIZES:
        verified = verified_onnx(found, size, ORIGIN)
        assert verified.difference < 1e-5
        assert verified.facts == size_facts(count(found, size))


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_what_is_drawn_comes_to_the_same_logits(name: str) -> None:
    rng = np.random.default_rng(0)
    for size in SIZES[:2]:
        found = ArchitectureSpace(SPACES[name], size).draw(rng).genome
        assert verified_onnx(found, size, ORIGIN).difference < 1e-5


@pytest.mark.slow
def test_the_file_is_the_network_of_the_fixed_seed_at_any_batch() -> None:
    session = onnxruntime.InferenceSession(verified_onnx(genome(), SIZE, ORIGIN).content)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Network(genome(), SIZE).eval()
    for batch in (1, 5):
        images = torch.randn(batch, *SIZE.image)
        (found,) = session.run(None, {"images": images.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(found, network(images).numpy(), atol=1e-5)


@pytest.mark.slow
def test_the_same_genome_gives_the_same_bytes_and_leaves_the_generator_alone() -> None:
    before = torch.get_rng_state()
    assert verified_onnx(genome(), SIZE, ORIGIN).content == verified_onnx(genome(), SIZE, ORIGIN).content
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_the_file_says_where_it_comes_from_and_that_nothing_was_trained() -> None:
    model = onnx.load_from_string(verified_onnx(genome(), SIZE, ORIGIN).content)
    facts = {one.key: one.value for one in model.metadata_props}
    assert facts == {
        "run": "a run",
        "birth": "3",
        "task": "digits-cells",
        "fitness": "-1.5",
        "fingerprint": "abc",
        "parameters": str(count(genome(), SIZE).params),
        "multiply-accumulates": str(count(genome(), SIZE).macs),
        "weights": "initial, not trained",
    }
    assert "weights are initial, not trained" in model.doc_string


def test_what_a_run_is_called_drives_no_terminal() -> None:
    evil = Origin("a\nWeights: trained\x1b[31m\u202e", 0, "abc", None, None)
    model = onnx.load_from_string(verified_onnx(SPACES["nb201"].smallest(), SIZE, evil).content)
    facts = {one.key: one.value for one in model.metadata_props}
    assert facts["run"].isprintable() and facts["weights"] == "initial, not trained"
    assert "task" not in facts


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["_halving", "_residual_block", "_layer", "_pointwise"])
def test_a_file_that_differs_is_not_handed_over(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(onnx_file, fault)

    def wrong(graph: onnx_file._Graph, *args: object) -> str:
        made: str = right(graph, *args)
        return graph.node("Mul", made, made) if fault != "_layer" else graph.relu(made)

    monkeypatch.setattr(onnx_file, fault, wrong)
    found = genome() if fault != "_residual_block" else uniform("nor_conv_3x3", 1)
    with pytest.raises(ExportMismatch, match="expected the same logits"):
        verified_onnx(found, SIZE, ORIGIN)


@pytest.mark.slow
def test_a_deep_network_is_compared_with_weights_that_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """With initial weights alone, what this network sees has faded away before the classifier."""
    deep = Skeleton(channels=4, cells=20, classes=7, image=(1, 8, 8))
    found = ArchitectureSpace(SPACES["darts"], deep).draw(np.random.default_rng(0)).genome
    assert verified_onnx(found, deep, ORIGIN).difference < TOLERANCE
    monkeypatch.setattr(onnx_file, "_stem", lambda graph: graph.node("Neg", graph.norm(graph.conv("images"))))
    with pytest.raises(ExportMismatch, match="expected the same logits"):
        verified_onnx(found, deep, ORIGIN)


def test_a_network_that_overflows_by_itself_is_refused() -> None:
    adding = CellSpace(("skip_connect",), nodes=3, inputs=1).smallest()
    with pytest.raises(ExportMismatch, match="expected finite logits"):
        verified_onnx(adding, Skeleton(channels=4, cells=100, image=(1, 4, 4)), ORIGIN)


def test_what_no_file_can_hold_is_refused_before_it_is_built() -> None:
    with pytest.raises(TooLarge, match="at most 500,000,000 parameters"):
        verified_onnx(genome(), Skeleton(channels=10_000), ORIGIN)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_the_packages_it_says_how_to_get_them(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(OnnxMissing, match=r"pip install 'germline\[onnx\]'"):
        verified_onnx(SPACES["darts"].smallest(), SIZE, ORIGIN)
