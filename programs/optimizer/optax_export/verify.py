"""Verification of exported optax files: they run beside the reference interpreter, in a process of their own.

That process has jax; Germline's own never imports it, so that its threads, its memory and its settings stay out of a
search. Several files share one process, because starting jax takes longer than running a file.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from germline.programs.export.origin import Origin
from germline.programs.export.verified import ExportMismatch, Verification, VerifiedExport, check_difference
from germline.programs.optimizer.export.changed import Change, changes
from germline.programs.optimizer.export.draft import draft_of
from germline.programs.optimizer.export.progress import from_step_count
from germline.programs.optimizer.export.verify import LOSSES, OPTION_STEPS, SCHEDULE, VISIBLE, not_finite_from, probe
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.interpret import Interpreter
from germline.programs.optimizer.optax_export.arguments import optax_arguments
from germline.programs.optimizer.optax_export.source import STEPS, TOLERANCE, export_optax, function_name
from germline.programs.optimizer.program import Program

FLOORS = {"float32": 1.0, "float64": 1e-3}
"""Elements below this share of the largest that their tensor has had until then are compared as if they were that
large. In float32 that is the largest itself, because XLA and the interpreter round differently where a sum nearly
cancels, and a moving average keeps the rounding of larger values; float64 shows that both compute the same."""
TOLERANCES = {"float32": TOLERANCE, "float64": 1e-9}
"""The largest difference allowed."""
OWN_ERRORS = 8
"""How many errors of the interpreter itself are allowed in float32, where they are more than TOLERANCE. A program may
subtract numbers that are nearly equal, as `library:lion_raw` does; two orders of its operations then agree no better.
"""
MODES = (("steps", "float32"), ("jit", "float32"), ("jit", "float64"))
"""Each step on its own or all of them in one compiled loop, and the precision."""
OPTIONS_MODE: tuple[str, str] = ("jit", "float64")
"""How a file runs with its arguments changed."""
_DTYPES = {"float32": torch.float32, "float64": torch.float64}
_TIMEOUT = 900
_WORKER = Path(__file__).with_name("worker.py")

Mode = tuple[str, str]
Values = list[NDArray[np.float64]]
"""Each parameter, then each state, after each step, `[steps, *shape]`."""


class OptaxMissing(ValueError):
    """The packages `jax` and `optax` are not installed; the message says how to get them."""


class OptaxFile(NamedTuple):
    """An exported file.

    Attributes:
        source: what `export_optax` returned. It is executed, so pass no text of another origin.
        program: the program that was exported.
        name: the function in the source.
        options: arguments of the function; none are its defaults.
        exact: as it was for `export_optax`.
    """

    source: str
    program: Program
    name: str
    options: Mapping[str, float] = MappingProxyType({})
    exact: bool = False


def verified_optax(program: Program, origin: Origin, class_name: str) -> VerifiedExport[str]:
    """The readable form of a program's export if it equals the interpreter, its exact form otherwise.

    Raises:
        OptaxMissing: jax or optax is not installed.
        ExportMismatch: neither form equals the interpreter.
    """
    check_installed()
    program = from_step_count(program)
    try:
        return _verified(program, origin, class_name, exact=False)
    except ExportMismatch:
        return _verified(program, origin, class_name, exact=True)


def _verified(program: Program, origin: Origin, class_name: str, exact: bool) -> VerifiedExport[str]:
    name = function_name(class_name)
    source = export_optax(program, origin, class_name, exact)
    difference, unseen = verify_optax(source, program, name, exact)
    nothing_from = not_finite_from(program)
    return VerifiedExport(source, name, difference, TOLERANCE, not_finite_from=nothing_from, unseen_arguments=unseen)


def verify_optax(source: str, program: Program, name: str, exact: bool = False) -> Verification:
    """The comparison of an exported file with the interpreter, with its defaults and with each argument changed.

    Args:
        source: what `export_optax` returned. It is executed, so pass no text of another origin.
        program: the program that was exported.
        name: the function in the source.
        exact: as it was for `export_optax`.

    Raises:
        OptaxMissing: jax or optax is not installed.
        ExportMismatch: a difference is above its tolerance, or the file raises an error.
    """
    [differences] = compare_optax([OptaxFile(source, program, name)])
    for (kind, dtype), difference in differences.items():
        quantity, hint = f"parameters and states of {name} and its program", f" in {STEPS} steps in {dtype} ({kind})"
        check_difference(quantity, difference, TOLERANCES[dtype], hint)
    return Verification(max(differences.values()), _verify_options(source, program, name, exact))


def _verify_options(source: str, program: Program, name: str, exact: bool) -> tuple[str, ...]:
    """Compares a file, with each of its arguments changed, with the program whose literals are changed alike. Returns
    the arguments whose change shows nothing."""
    [comparisons] = compare_options([OptaxFile(source, program, name, exact=exact)])
    for argument, value, difference, _ in comparisons:
        quantity = f"parameters and states of {name} with {argument}={value} and its program with these constants"
        check_difference(quantity, difference, TOLERANCES["float64"], f" in {OPTION_STEPS} steps")
    return tuple(dict.fromkeys(own.argument for own in comparisons if not own.shows))


class OptionComparison(NamedTuple):
    """A file with one argument changed, compared with the program whose literal is changed alike.

    Attributes:
        argument: the name of the argument.
        value: what it is changed to.
        difference: the largest relative difference in float64.
        shows: True if the program's result is another than with the default.
    """

    argument: str
    value: float
    difference: float
    shows: bool


def compare_options(exported: Sequence[OptaxFile]) -> list[list[OptionComparison]]:
    """For each file a comparison for each of its arguments.

    Raises:
        OptaxMissing: jax or optax is not installed.
        ExportMismatch: a file raises an error.
    """
    check_installed()
    changed = [list(_changed(file)) for file in exported]
    files = [file for own in changed for file, *_ in own]
    results = iter(_run_files(files, (OPTIONS_MODE,), OPTION_STEPS, zeros=False))
    return [
        [
            OptionComparison(
                change.name, change.value, _option_difference(next(results)[OPTIONS_MODE], own), change.shows
            )
            for _, change, own in files
        ]
        for files in changed
    ]


def _changed(file: OptaxFile) -> Iterator[tuple[OptaxFile, Change, Values]]:
    """The file with each of its arguments changed, the change, and the values of the program with that constant."""
    draft = draft_of(file.program, file.exact)
    rate = draft.default_rate if draft.lr_is_rate else 1.0

    def values(program: Program) -> Values:
        return _interpreted(program, "float64", "float64", OPTION_STEPS, rate, zeros=False)

    expected = values(draft.program)

    def differs(program: Program) -> bool:
        changed = values(program)
        finite = all(np.isfinite(value).all() for value in changed)
        return finite and _option_difference(changed, expected) > VISIBLE

    arguments = optax_arguments(draft.arguments)
    defaults = {argument.name: argument.values[0] for argument in arguments}
    for change in changes(draft.program, arguments, differs):
        yield file._replace(options={**defaults, change.name: change.value}), change, values(change.program)


def _option_difference(values: Values, expected: Values) -> float:
    """The largest relative difference in float64."""
    return _difference(values, expected, FLOORS["float64"], [0.0] * len(expected))


def compare_optax(exported: Sequence[OptaxFile], modes: Sequence[Mode] = MODES) -> list[dict[Mode, float]]:
    """For each file the largest relative difference from the interpreter in each mode.

    Both start from the same random parameters of ranks 0 to 4 and get the same gradients, some of them zero, and the
    same varying learning rates, through a schedule. After each step all parameters and states are compared. For a and b
    the difference is |a - b| / max(|a|, |b|, FLOORS[dtype] * the tensor's largest finite magnitude until then); values
    that are not finite must be equal. In float32 a difference of OWN_ERRORS errors of the interpreter counts as
    TOLERANCE. A program that is not finite any more where gradients are zero is compared again without zeros.

    Raises:
        OptaxMissing: jax or optax is not installed.
        ExportMismatch: a file raises an error.
    """
    check_installed()
    differences = _compared(exported, modes, zeros=True)
    again = [k for k, file in enumerate(exported) if not _is_mostly_finite(file.program)]
    if again:
        for k, own in zip(again, _compared([exported[k] for k in again], modes, zeros=False), strict=True):
            differences[k] = {mode: max(difference, own[mode]) for mode, difference in differences[k].items()}
    return differences


def _is_mostly_finite(program: Program) -> bool:
    """True if more than half of all elements are finite after the last step, with gradients of which some are zero."""
    last = [value[-1].reshape(-1) for value in _interpreted(program, "float64", "float64")]
    return float(np.isfinite(np.concatenate(last)).mean()) > 0.5


def _compared(exported: Sequence[OptaxFile], modes: Sequence[Mode], zeros: bool) -> list[dict[Mode, float]]:
    """For each file the largest relative difference in each mode, with gradients of which some are zero, or none."""
    results = _run_files(exported, modes, zeros=zeros)
    differences: list[dict[Mode, float]] = []
    for own, (_, program, *_) in zip(results, exported, strict=True):
        expected = {dtype: _interpreted(program, dtype, dtype, zeros=zeros) for _, dtype in modes}
        exact = _interpreted(program, "float32", "float64", zeros=zeros)
        differences.append({})
        for kind, dtype in modes:
            errors = _errors(expected[dtype], exact) if dtype == "float32" else [0.0] * len(exact)
            differences[-1][kind, dtype] = _difference(own[kind, dtype], expected[dtype], FLOORS[dtype], errors)
    return differences


def check_installed() -> None:
    """Raises OptaxMissing if jax or optax is not installed; imports neither."""
    if any(importlib.util.find_spec(name) is None for name in ("jax", "optax")):
        raise OptaxMissing(
            "expected the packages jax and optax, without which no optax file can be verified; "
            "pip install 'germline[optax]'"
        )


def _run_files(
    exported: Sequence[OptaxFile], modes: Sequence[Mode], steps: int = STEPS, zeros: bool = True
) -> list[dict[Mode, Values]]:
    """For each file its values in each mode."""
    with tempfile.TemporaryDirectory(prefix="germline-export-") as temporary:
        folder = Path(temporary)
        files = []
        paths: dict[str, Path] = {}
        for file in exported:
            path = paths.setdefault(file.source, folder / f"exported_{len(paths)}.py")
            path.write_text(file.source, encoding="utf-8")
            files.append((str(path), file.name, dict(file.options)))
        (folder / "jobs.json").write_text(json.dumps({"files": files, "modes": modes}), encoding="utf-8")
        np.savez(folder / "probe.npz", allow_pickle=False, **_probe(steps, zeros))
        command = [sys.executable, "-P", "-B", str(_WORKER), str(folder)]
        try:
            process = subprocess.run(
                command, capture_output=True, text=True, errors="replace", env=_environment(), timeout=_TIMEOUT
            )
        except subprocess.TimeoutExpired:
            raise ExportMismatch(f"expected the exported file to finish in {_TIMEOUT} seconds, got no result") from None
        if process.returncode:
            last = (process.stderr.strip().splitlines() or [f"exit status {process.returncode}"])[-1]
            raise ExportMismatch(f"expected the exported file to run under jax, got {last:.300}")
        with np.load(folder / "results.npz", allow_pickle=False) as results:
            return [{mode: _values(results, k, mode) for mode in modes} for k in range(len(exported))]


def _values(results: Mapping[str, NDArray[np.float64]], file: int, mode: Mode) -> Values:
    """The values of a file in a mode."""
    start = f"{file}/{' '.join(mode)}/"
    return [results[f"{start}{k}"] for k in range(sum(key.startswith(start) for key in results))]


def _environment() -> dict[str, str]:
    """The environment of the process: the CPU, one thread, and none of the user's settings of jax."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
    flags = "--xla_cpu_multi_thread_eigen=false"
    own |= {"JAX_PLATFORMS": "cpu", "JAX_TRACEBACK_FILTERING": "off", "XLA_FLAGS": flags}
    return own | {"OMP_NUM_THREADS": "1", "NPROC": "1"}


def _probe(steps: int, zeros: bool) -> dict[str, Any]:
    """The parameters and the gradients of each step in either precision, and the schedule values."""
    arrays: dict[str, Any] = {"schedule": np.array([SCHEDULE[step % len(SCHEDULE)] for step in range(steps)])}
    arrays["losses"] = np.array([LOSSES[step % len(LOSSES)] for step in range(steps)])
    for seed, (name, dtype) in enumerate(_DTYPES.items()):
        start, gradients = probe(steps, dtype, seed, zeros)
        arrays |= {f"{name}/start/{k}": leaf.numpy() for k, leaf in enumerate(start)}
        columns = zip(*gradients, strict=True)
        arrays |= {f"{name}/grads/{k}": torch.stack(column).numpy() for k, column in enumerate(columns)}
    return arrays


def _interpreted(
    program: Program, dtype: str, precision: str, steps: int = STEPS, rate: float = 1.0, zeros: bool = True
) -> Values:
    """The values of the interpreter in a precision, for parameters and gradients of a type.

    Args:
        program: the program.
        dtype: the type of parameters and gradients.
        precision: the precision of the interpreter.
        steps: the number of steps.
        rate: the program's `lr` at schedule value 1.
        zeros: whether some elements of the gradients are zero.
    """
    start, gradients = probe(steps, _DTYPES[dtype], list(_DTYPES).index(dtype), zeros)
    w = [leaf.to(_DTYPES[precision]) for leaf in start]
    interpreter = Interpreter(live_program(program))
    schedule = [rate * SCHEDULE[step % len(SCHEDULE)] for step in range(steps)]
    rows = []
    for step, (lr, g) in enumerate(zip(schedule, gradients, strict=True)):
        loss = LOSSES[step % len(LOSSES)]
        update = interpreter.step(w, [leaf.to(w[0].dtype) for leaf in g], lr, loss=loss)
        w = [leaf - change for leaf, change in zip(w, update, strict=True)]
        states = [value if isinstance(value, list) else [value] for value in interpreter.states.values()]
        rows.append([*w, *(torch.as_tensor(leaf) for state in states for leaf in state)])
    return [torch.stack(column).numpy() for column in zip(*rows, strict=True)]


def _errors(values: Values, exact: Values) -> list[NDArray[np.float64]]:
    """The largest error of each tensor so far, `[steps, 1]`."""
    with np.errstate(invalid="ignore"):
        errors = [np.abs(a - b).reshape(len(a), -1) for a, b in zip(values, exact, strict=True)]
    return [np.maximum.accumulate(np.nan_to_num(own, posinf=0.0).max(1, keepdims=True)) for own in errors]


def _difference(values: Values, expected: Values, floor: float, errors: Sequence[Any]) -> float:
    """The largest relative difference between values and those expected; infinity if there are more or fewer of them.

    Args:
        values, expected: an array `[steps, *shape]` for each parameter and state.
        floor: see `FLOORS`.
        errors: rounding error of each array of `expected`, `[steps, 1]` or 0; `OWN_ERRORS` times as much is allowed.
    """
    if len(values) != len(expected):
        return np.inf
    columns = zip(values, expected, errors, strict=True)
    return max(largest_difference(a, b, floor, OWN_ERRORS / TOLERANCE * error) for a, b, error in columns)


def largest_difference(a: NDArray[np.float64], b: NDArray[np.float64], floor: float, least: Any = 0.0) -> float:
    """The largest relative difference of two arrays `[steps, *shape]`, as `compare_optax` defines it.

    Elements below `least`, `[steps, 1]`, count as that large.

    Infinity if their shapes, their precisions, or their values that are not finite differ.
    """
    if a.shape != b.shape or a.dtype != b.dtype:
        return np.inf
    finite = np.isfinite(a) & np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return np.inf
    x, y = (np.where(finite, value, 0.0).astype(np.float64).reshape(len(a), -1) for value in (a, b))
    if not x.size:
        return 0.0
    size = np.maximum(np.abs(x), np.abs(y))
    largest = np.maximum.accumulate(size.max(1, keepdims=True))
    size = np.maximum(np.maximum(size, floor * largest), least)
    return float(np.divide(np.abs(x - y), size, out=np.zeros_like(x), where=size > 0).max())
