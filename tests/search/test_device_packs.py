"""The pack of a run on a GPU is a whole block, unless the user has set it; on a CPU it is the preset's."""

from collections.abc import Sequence
from typing import Any

import pytest

from germline.search.run import plan_run

TABLE: dict[str, Any] = {"kind": "architecture", "task": "nb201-cifar10", "preset": "nb201"}


def pack(device: str, settings: Sequence[str] = (), **options: Any) -> object:
    return plan_run(settings=settings, device=device, **options).config["settings"]["pack"]


@pytest.mark.parametrize(
    ("options", "on_cpu", "on_gpu"),
    [
        ({}, 16, 64),
        ({"settings": ["block=8192"]}, 16, 1_024),
        ({"preset": "paper"}, 32, 256),
        ({"settings": ["pack=8"]}, 8, 8),
        ({"settings": [" pack = 8"]}, 8, 8),
        ({"kind": "architecture"}, 5, 16),
        ({"kind": "architecture", "preset": "paper"}, 4, 16),
        (TABLE, 1, 1),
        ({"kind": "policy", "task": "hard-maze", "preset": "maze"}, 125, 125),
    ],
)
def test_packs_are_chosen_for_the_device(options: dict[str, Any], on_cpu: int, on_gpu: int) -> None:
    """A run may be created for the GPUs of other machines, so `cuda` needs none here."""
    assert pack("cpu", **options) == on_cpu
    assert pack("cuda", **options) == on_gpu


def test_nothing_else_of_a_run_depends_on_the_device() -> None:
    there, here = (plan_run(device=device, seed=3).config for device in ("cuda", "cpu"))
    assert {**there["settings"], "pack": 0} == {**here["settings"], "pack": 0}
    assert {**there, "settings": 0} == {**here, "settings": 0}


@pytest.mark.slow
def test_a_gpu_of_this_machine_gets_packs_of_programs_that_fit_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("germline.search.run.memory_of", lambda device: 2**30)
    sizes = [pack("cuda", ["block=8192"], task=name) for name in ("digits-mlp", "text-transformer")]
    assert 1_024 < sizes[0] <= 4_096 and 16 <= sizes[1] < 256  # type: ignore[operator]
    assert pack("cuda", ["block=8192", "pack=7"]) == 7
    assert pack("cuda", kind="architecture") == 16
