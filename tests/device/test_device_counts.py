"""What a training step asks of a GPU, counted without one, stays a handful of launches for a whole pack."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MOST_LAUNCHES = {"digits-mlp": 40, "text-transformer": 180, "mnist5k-conv": 55}
SHORT = {"digits-mlp": 64, "text-transformer": 8, "mnist5k-conv": 8}


@pytest.fixture
def counts() -> Iterator[Any]:
    """The module that counts, beside the benchmarks whose programs it counts."""
    sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))
    import device_counts

    yield device_counts
    sys.path.remove(str(ROOT / "tests" / "benchmarks"))


@pytest.mark.slow
@pytest.mark.parametrize("name", MOST_LAUNCHES)
def test_a_step_has_a_handful_of_launches_however_many_candidates_train(name: str, counts: Any) -> None:
    few, many = (counts.counted(name, size) for size in (SHORT[name], 4 * SHORT[name]))
    assert many.trace.launches == few.trace.launches <= MOST_LAUNCHES[name]
    assert many.trace.counts()[counts.ENGINE] == 1  # all programs run in a single launch
    assert many.trace.obstacle is None  # no wait for the device, nothing from the host
    assert few.trace.launches < few.alone * (2 if name == "digits-mlp" else 1)
    assert few.trace.bytes < many.trace.bytes < 5 * few.trace.bytes
    assert many.products == pytest.approx(4 * few.products, rel=0.01)


@pytest.mark.slow
def test_the_page_on_gpus_says_what_is_counted(counts: Any) -> None:
    page = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
    said = re.findall(r"^\| `([\w-]+)`, ([\d,]+) \| (\d+) \| ([\d.]+) GB", page, re.MULTILINE)
    assert [name for name, *_ in said] == [name for name, _ in counts.PACKS]
    for (name, size), (_, candidates, launches, gigabytes) in zip(counts.PACKS, said, strict=True):
        step = counts.counted(name, size).trace
        assert (int(candidates.replace(",", "")), int(launches)) == (size, step.launches)
        assert float(gigabytes) == pytest.approx(step.bytes / 1e9, abs=0.06)


def test_an_estimate_is_the_sum_of_what_each_kernel_takes(counts: Any) -> None:
    counted = counts.counted("digits-mlp", 8)
    device = counts.H100(launch=(2e-6, 5e-6), node=1e-6, memory=1e30, single=1e30)
    launches = counted.trace.launches
    assert counts.milliseconds(counted, device, 1e30, graph=True) == pytest.approx(1e-3 * launches)
    assert counts.milliseconds(counted, device, 1e30, graph=False, launch=5e-6) == pytest.approx(5e-3 * launches)
    slow = counts.H100(memory=1e3, single=1e30)
    assert counts.milliseconds(counted, slow, 1e30, graph=True) > counted.trace.bytes / 2
