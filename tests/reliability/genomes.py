"""Scenarios of genomes: mutants, damaged files, exports and equal fingerprints.

They are rows F1, F2, F4 and F5 of docs/reliability.md. Each returns a `Result`. `count` is the number of cases,
`folder` an unused directory.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np
from mutants import mutants
from result import Result

from germline.programs.architecture import genome as architectures
from germline.programs.architecture.cells import FULL, SPACES
from germline.programs.architecture.space import ArchitectureSpace
from germline.programs.export.origin import Origin
from germline.programs.export.verified import ExportMismatch
from germline.programs.optimizer import library, parse
from germline.programs.optimizer.export import export_torch, verified_torch
from germline.programs.policy import genome as policies
from germline.programs.policy.network import Network

ROOT = Path(__file__).parent.parent.parent
LIMIT_SECONDS = 0.1
"""CPU time that reading a damaged genome may take."""


def bred_and_read_back(count: int, folder: Path) -> Result:
    """Mutants with each set of functions are written, read again and compared, fingerprints included."""
    return _scaled_test("F1", "every_mutant_reads_back", 5_000, count, "mutants bred, written and read back")


def equal_fingerprints(count: int, folder: Path) -> Result:
    """Programs with equal fingerprints give equal updates on 32 fresh inputs over six steps."""
    return _scaled_test("F4", "equal_fingerprints_give_equal_updates", 1_200, count, "pairs with equal fingerprints")


def damaged(count: int, folder: Path) -> Result:
    """Genomes of all kinds with bytes changed, removed, repeated and inserted: read, or a typed error."""
    began, rng, failures = time.monotonic(), np.random.default_rng(count), []
    sources, slowest, refused = _sources(), 0.0, 0
    for number in range(count):
        kind = tuple(sources)[number % len(sources)]
        texts, read = sources[kind]
        data = texts[int(rng.integers(len(texts)))].encode()
        for _ in range(int(rng.integers(1, 5))):
            data = _damage(data, rng)
        text = data.decode("utf-8", "surrogateescape" if number % 2 else "replace")
        start = time.process_time()
        try:
            read(text)
        except ValueError as error:
            refused += 1
            if not type(error).__module__.startswith("germline."):
                failures.append(f"{kind}: {type(error).__name__}: {error!s:.100} for {text!r:.200}")
        except BaseException as error:
            failures.append(f"{kind}: {type(error).__name__}: {error!s:.100} for {text!r:.200}")
        seconds = time.process_time() - start
        if seconds > LIMIT_SECONDS:  # once more, since the garbage collector may have run meanwhile
            start = time.process_time()
            with suppress(BaseException):
                read(text)
            seconds = min(seconds, time.process_time() - start)
        slowest = max(slowest, seconds)
        if seconds > LIMIT_SECONDS:
            failures.append(f"{kind}: {seconds:.2f} s for {text!r:.100}")
    note = f"{refused:,} refused by a typed error, the others are valid; the slowest took {1e3 * slowest:.0f} ms"
    what = "genome texts of all kinds with random damage of their bytes, nesting and huge numbers"
    return Result("F2", what, count, tuple(failures), time.monotonic() - began, note)


def exported(count: int, folder: Path) -> Result:
    """Random programs, half of them with the extended functions: the exported class equals the interpreter."""
    began, failures, exact = time.monotonic(), [], 0
    largest = 0.0
    streams = [islice(mutants(7, functions, length=60), 0, None, 13) for functions in ("core", "extended")]
    for number in range(count):
        program = next(streams[number % 2])
        origin = Origin(None, None, "0" * 24, None, None)
        try:
            export = verified_torch(program, origin, "Exported")
        except ExportMismatch as error:
            failures.append(f"{error!s:.300}")
            continue
        largest = max(largest, export.difference)
        exact += export.content != export_torch(program, origin, "Exported")
    what = "random programs: the exported class against the interpreter over 20 steps, in float32 and float64"
    note = f"largest relative difference {largest:.1e}; {exact} in the form that rounds as the program does"
    return Result("F5", what, count, tuple(failures), time.monotonic() - began, note)


def _scaled_test(row: str, test: str, cases: int, count: int, what: str) -> Result:
    """A test of the language, run on about `count` cases: it takes `GERMLINE_SCALE` times its own `cases`."""
    began, scale = time.monotonic(), max(1, -(-count // cases))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/programs/optimizer", "-k", test, "--timeout", "0", "-n0", "-q"],
        cwd=ROOT,
        env={**os.environ, "GERMLINE_SCALE": str(scale), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    failures = () if run.returncode == 0 else (run.stdout[-500:],)
    return Result(row, what, cases * scale, failures, time.monotonic() - began)


def _sources() -> Mapping[str, tuple[list[str], Callable[[str], object]]]:
    """Valid genomes of each kind, and the function that reads them."""
    rng = np.random.default_rng(0)
    space = ArchitectureSpace(SPACES["eeea"], FULL)
    drawn = [architectures.write(space.draw(rng).genome) for _ in range(20)]
    networks = [Network("mlp", (4,), 2), Network("conv", (4, 84, 84), 18)]
    seeds = [tuple((int(seed), 0.002) for seed in rng.integers(2**32, size=30)) for _ in networks]
    played = [
        policies.write(policies.Policy(network, 1, mutations))
        for network, mutations in zip(networks, seeds, strict=True)
    ]
    return {
        "optimizer": (list(library().values()), parse),
        "architecture": (drawn, architectures.read),
        "policy": (played, policies.read),
    }


def _damage(data: bytes, rng: np.random.Generator) -> bytes:
    """The bytes with a random damage at a random place."""
    place, length = int(rng.integers(len(data) + 1)), int(rng.integers(1, 40))
    head, tail, cut = data[:place], data[place:], data[place + length :]
    match int(rng.integers(8)):
        case 0:
            return head + bytes(rng.integers(256, size=length, dtype=np.uint8)) + cut
        case 1:
            return head + cut
        case 2:
            return head + tail[:length] * int(rng.integers(2, 20)) + tail
        case 3:
            return head + bytes([int(rng.integers(256))]) + tail[1:]
        case 4:
            return head + b"9" * int(rng.integers(1, 5_000)) + tail
        case 5:
            bracket = (b"[", b"(", b"{", b'{"a":', b"abs(", b"-")[int(rng.integers(6))]
            return head + bracket * 10 ** int(rng.integers(1, 5)) + tail
        case 6:
            word = (b"NaN", b"Infinity", b"1e999", b"null", b"true", b"\\ud800", b"\x00", b"__import__", b"-0.0")
            return head + word[int(rng.integers(len(word)))] + tail
        case _:
            other = int(rng.integers(len(data) + 1))
            return head + data[other : other + length] + tail
