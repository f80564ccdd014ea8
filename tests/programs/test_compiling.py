"""Compiled functions run without a cache on disk, and give the same bits with and without it."""

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
from germline.evaluators.architecture.networks.tape import LayerKind
from germline.programs.compiling import compiled


def twice(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize("writable", [True, False])
def test_a_function_runs_with_and_without_a_writable_cache(writable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not writable:
        monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    assert compiled()(twice)(21) == 42


def test_a_full_disk_does_not_stop_a_compiled_function(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "save", full)
    assert compiled()(lambda number: 3 * number)(14) == 42


def test_the_kernels_number_instructions_as_tapes_do() -> None:
    assert {kind.name: getattr(kernels, kind.name) for kind in LayerKind} == {
        kind.name: kind.value for kind in LayerKind
    }


def test_constants_beside_the_kernels_equal_theirs() -> None:
    assert tape.GAP == kernels.GAP
    assert np.float32(stacked.RUNNING_SHARE) == kernels.RUNNING_SHARE
    assert np.float32(stacked.EPSILON) == kernels.EPSILON


@pytest.mark.slow
def test_compiled_functions_use_nothing_from_other_files() -> None:
    """The cache notices changes of a function's own file alone; changes in another file would be ignored."""
    root = Path(germline.programs.__file__).parents[1]
    sources = {path: path.read_text() for top in ("evaluators", "programs") for path in (root / top).rglob("*.py")}
    passed = {name for text in sources.values() for name in re.findall(r"compiled\([^)]*\)\((\w+)\)", text)}
    checked = 0
    for path, text in sources.items():
        tree = ast.parse(text)
        imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and "germline" in (node.module or "")]
        foreign = {name.asname or name.name for node in imports for name in node.names}
        for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
            decorated = any("compiled" in ast.unparse(node) for node in function.decorator_list)
            if decorated or function.name in passed:
                used = {node.id for line in function.body for node in ast.walk(line) if isinstance(node, ast.Name)}
                assert not used & foreign, f"{path.name}: {function.name}"
                checked += 1
    assert checked > 30


SCORES = """
import numpy as np
from germline.evaluators.architecture.evaluator import ArchitectureEvaluator
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.genome import write
from germline.programs.architecture.space import ArchitectureSpace
space = ArchitectureSpace(SPACES["eeea-paper"], Skeleton(8, 3, 10, (1, 8, 8)))
rng = np.random.default_rng(2)
genomes = [write(space.draw(rng).genome) for _ in range(4)]
for outcome in ArchitectureEvaluator("digits-cells", 2, cells=3, channels=8).score(genomes, 0, 0):
    print(outcome.measures["loss"].hex())
"""


@pytest.mark.slow
def test_freshly_compiled_and_cached_functions_give_the_same_bits(tmp_path: Path) -> None:
    """A process that compiles may hold several copies of a function, compiled differently from those in the cache."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    first, second = (
        subprocess.run(
            [sys.executable, "-c", SCORES], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    )
    assert first == second and len(set(first.split())) == 4
