"""What is compiled runs also where nothing can be kept on disk."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core.caching import CacheImpl, IndexDataCacheFile

import germline.programs
from germline.evaluators.architecture.networks import stacked, tape
from germline.evaluators.architecture.networks.compiled import kernels
from germline.evaluators.architecture.networks.tape import Kind
from germline.programs.compiling import compiled


def twice(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize("writable", [True, False])
def test_it_runs_wherever_what_was_compiled_can_be_kept(writable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not writable:
        monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    assert compiled()(twice)(21) == 42


def test_a_disk_that_is_full_keeps_nothing_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "save", full)
    assert compiled()(lambda number: 3 * number)(14) == 42


def test_the_kernels_number_instructions_as_tapes_do() -> None:
    assert {kind.name: getattr(kernels, kind.name) for kind in Kind} == {kind.name: kind.value for kind in Kind}


def test_what_stands_beside_the_kernels_has_their_numbers() -> None:
    assert tape.GAP == kernels.GAP
    assert (np.float32(stacked.KEPT), np.float32(stacked.EPSILON)) == (kernels.KEPT, kernels.EPSILON)


def test_what_is_compiled_takes_nothing_from_other_files_of_ours() -> None:
    """What was kept is found again by its own file, so it would go on with what another one was."""
    root = Path(germline.programs.__file__).parents[1]
    sources = {path: path.read_text() for top in ("evaluators", "programs") for path in (root / top).rglob("*.py")}
    handed = {name for text in sources.values() for name in re.findall(r"compiled\([^)]*\)\((\w+)\)", text)}
    seen = 0
    for path, text in sources.items():
        tree = ast.parse(text)
        imports = [one for one in tree.body if isinstance(one, ast.ImportFrom) and "germline" in (one.module or "")]
        foreign = {name.asname or name.name for one in imports for name in one.names}
        for function in (one for one in tree.body if isinstance(one, ast.FunctionDef)):
            decorated = any("compiled" in ast.unparse(one) for one in function.decorator_list)
            if decorated or function.name in handed:
                used = {one.id for line in function.body for one in ast.walk(line) if isinstance(one, ast.Name)}
                assert not used & foreign, f"{path.name}: {function.name}"
                seen += 1
    assert seen > 30


SCORES = """
import numpy as np
from germline.evaluators.architecture.evaluator import ArchitectureEvaluator
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.genome import write
from germline.programs.architecture.space import ArchitectureSpace
space = ArchitectureSpace(SPACES["eeea-paper"], Skeleton(8, 3, 10, (1, 8, 8)))
rng = np.random.default_rng(2)
genomes = [write(space.draw(rng)) for _ in range(4)]
for outcome in ArchitectureEvaluator("digits-cells", 2, cells=3, channels=8).score(genomes, 0, 0):
    print(outcome.measures["loss"].hex())
"""


def test_what_was_compiled_gives_the_bits_of_what_was_kept(tmp_path: Path) -> None:
    """A process that compiles may hold several copies of a function, made differently; the next one has others."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    first, second = (
        subprocess.run(
            [sys.executable, "-c", SCORES], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    )
    assert first == second and len(set(first.split())) == 4
