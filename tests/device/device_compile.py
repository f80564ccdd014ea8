"""Compiles what the other steps need."""

import os
import subprocess
import sys
import time
from typing import Any

from device_step import Results
from own_tree import ROOT

from germline.evaluators.optimizer.engine import prepare

COMPILING = {
    "engine": "from germline.evaluators.optimizer.engine import prepare; prepare('cpu')",
    "models": "import device_checks as d; d.trained('text-transformer', 1, 1, 'cpu')",
    "networks": "import device_checks as d; d.Trained(d.drawn(1), 1, 'cpu', False)",
    "policies": "import device_checks as d; [d.outputs(name, 1, 1, 'cpu', False) for name in d.POLICY_NETWORKS]",
    "maze": "import device_checks as d; d.maze_returns('cpu', 1, 1)",
}
"""Programs that compile what the CPU's side of the checks needs, each in a process of its own."""


def compile_kernels(device: str, apart: bool) -> Results:
    """Compiles the kernel of the device here and, if `apart`, those of the CPU in processes beside this one."""
    paths = os.pathsep.join([str(ROOT / "tests" / "device"), os.environ["PYTHONPATH"]])
    environment = {**os.environ, "PYTHONPATH": paths}
    began, errors = time.monotonic(), {}
    processes = {
        name: subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True)
        for name, code in COMPILING.items()
        if apart
    }
    try:
        prepare(device)
        seconds: dict[str, Any] = {"device": time.monotonic() - began}
        yield {"compiled_after": seconds}
        for name, process in processes.items():
            _, error = process.communicate()
            seconds[name] = time.monotonic() - began
            if process.returncode:
                errors[name] = error.strip().splitlines()[-1:]
            yield {"compiled_after": seconds, "errors": errors}
    finally:
        for process in processes.values():  # or they would disturb what is measured later
            process.kill()
            process.wait()
    summary = f"compiled in {max(seconds.values()):.0f} s" + (f", but not {', '.join(errors)}" if errors else "")
    yield {"passed": not errors, "summary": summary}
