"""Runs exported optax files, in a process of its own: jax stays out of Germline's.

    python worker.py FOLDER

FOLDER has `jobs.json`, with `files`, each with the name and the arguments of its function, and `modes`: each step on
its own (`steps`) or all in one compiled loop (`jit`), and the precision. `probe.npz` has parameters, gradients and
schedule values. The script writes `results.npz`: under `FILE/MODE/K` the values of parameter or state K after each
step.
"""

import functools
import importlib.util
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax


def main(folder: Path) -> None:
    """Runs every file in every mode."""
    jobs = json.loads((folder / "jobs.json").read_text(encoding="utf-8"))
    functions = [(_function(Path(path), name), options) for path, name, options in jobs["files"]]
    results: dict[str, Any] = {}
    with np.load(folder / "probe.npz", allow_pickle=False) as probe:
        for mode, dtype in jobs["modes"]:
            jax.config.update("jax_enable_x64", dtype == "float64")
            for k, (function, options) in enumerate(functions):
                for name, values in enumerate(_run(function, options, probe, mode, dtype)):
                    results[f"{k}/{mode} {dtype}/{name}"] = np.asarray(values)
    np.savez(folder / "results.npz", allow_pickle=False, **results)


@functools.cache
def _function(path: Path, name: str) -> Any:
    """The function that an exported file defines."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def _run(function: Any, options: dict[str, float], probe: Any, mode: str, dtype: str) -> list[Any]:
    """Runs an exported optimizer; returns an array `[steps, *shape]` of the values after each step, for each parameter
    and then for each state.

    Args:
        function: the function of an exported file.
        options: its keyword arguments besides `learning_rate`.
        probe: the arrays of `probe.npz`.
        mode: `steps` (one call a step) or `jit` (all steps in one compiled loop).
        dtype: `float32` or `float64`.
    """
    count = len([name for name in probe.files if name.startswith(f"{dtype}/start/")])
    params = [jnp.asarray(probe[f"{dtype}/start/{k}"]) for k in range(count)]
    grads = [jnp.asarray(probe[f"{dtype}/grads/{k}"]) for k in range(count)]
    default = inspect.signature(function).parameters["learning_rate"].default
    rates, losses = jnp.asarray(default * probe["schedule"], dtype), jnp.asarray(probe["losses"], dtype)
    if mode == "jit":
        values: list[Any] = _compiled(function, dtype)(options, rates, losses, params, grads)
        return values
    step, carry = _start(function, options, rates, params)
    rows = []
    for i in range(len(rates)):
        carry, row = step(carry, (losses[i], [g[i] for g in grads]))
        rows.append(row)
    return [np.stack(column) for column in zip(*rows, strict=True)]


def _start(function: Any, options: dict[str, float], rates: Any, params: Any) -> tuple[Any, Any]:
    """The function of a step, and what it is called with at first."""
    optimizer = function(learning_rate=lambda step: rates[step], **options)

    def step(carry: Any, given: Any) -> Any:
        (params, state), (loss, g) = carry, given
        updates, state = optimizer.update(g, state, params, value=loss)
        params = optax.apply_updates(params, updates)
        return (params, state), jax.tree.leaves((params, state[1:]))

    return step, (params, optimizer.init(params))


@functools.cache
def _compiled(function: Any, dtype: str) -> Any:
    """All steps as one compiled loop. The options are traced: it is compiled once for all values of the same ones."""
    del dtype  # one loop for each precision

    def loop(options: dict[str, float], rates: Any, losses: Any, params: Any, grads: Any) -> Any:
        step, carry = _start(function, options, rates, params)
        return jax.lax.scan(step, carry, (losses, grads))[1]

    return jax.jit(loop)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
