"""What is compiled runs also where nothing can be kept on disk."""

import pytest
from numba.core.caching import CacheImpl

from germline.evaluators.compiling import compiled
from germline.evaluators.networks import kernels
from germline.evaluators.networks.tape import Kind


def twice(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize("writable", [True, False])
def test_it_runs_wherever_what_was_compiled_can_be_kept(writable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not writable:
        monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    assert compiled()(twice)(21) == 42


def test_the_kernels_number_instructions_as_tapes_do() -> None:
    assert {kind.name: getattr(kernels, kind.name) for kind in Kind} == {kind.name: kind.value for kind in Kind}
