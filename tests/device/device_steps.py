"""The steps of a session, in the order of their worth: is it right, how fast is it, what becomes of errors.

A step names its function, whose file is imported when the step begins, so that a package that is missing or broken
costs only the steps that need it.
"""

from typing import Any

from device_step import Step

SEARCH = ("population=1000", "warmup=0", "review_every=0")


def _training(task: str, count: int, rounds: int, alone: int, small: int) -> tuple[dict[str, Any], dict[str, Any]]:
    sizes = {"rounds": rounds, "alone": alone, "steps": None, "warm": 30, "profiled": (10, 20), "timed": 50}
    few = {"rounds": 1, "alone": 1, "steps": 4, "warm": 1, "profiled": (1, 2), "timed": 2}
    return {"task": task, "count": count, **sizes}, {"task": task, "count": small, **few}


def _cells(
    name: str, channels: int, number: int, side: int, count: int, steps: int, batch: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    sizes = {"channels": channels, "number": number, "side": side, "count": count, "steps": steps, "batch": batch}
    few = {"channels": 4, "number": 2, "side": 8, "count": 2, "steps": 2, "batch": 8, "alone": 1, "profiled": (1, 2)}
    return {"name": name, **sizes, "alone": 2, "profiled": (4, 8)}, {"name": "tiny", **few}


STEPS = (
    Step("compile", "device_compile:compile_kernels", {"apart": True}, {"apart": False}, 45),
    Step("special-values", "device_engine:special", {}, {}, 10),
    Step("engine-bits", "device_engine:engine_bits", {"count": 600}, {"count": 12}, 20),
    Step("trainers", "device_checks:trainers", {"count": 64, "steps": 20}, {"count": 4, "steps": 5}, 20),
    Step("networks", "device_checks:networks", {"count": 8, "steps": 8}, {"count": 4, "steps": 2}, 10),
    Step(
        "policies",
        "device_checks:policies",
        {"count": 8, "rows": 64, "maze_policies": 128, "decisions": 100},
        {"count": 2, "rows": 3, "maze_policies": 4, "decisions": 10},
        10,
    ),
    Step("digits-mlp", "device_training:training", *_training("digits-mlp", 4_096, 3, 2, small=8), 45),
    Step("text-transformer", "device_training:training", *_training("text-transformer", 512, 2, 2, small=4), 45),
    Step("engine", "device_training:engine", {"count": 4_096, "rounds": 3}, {"count": 8, "rounds": 1}, 20),
    Step("cells-quick", "device_cells:cells", *_cells("quick", 8, 3, 8, 32, 30, 64), 20),
    Step("cells-proxy", "device_cells:cells", *_cells("proxy", 16, 8, 32, 8, 10, 128), 25),
    Step(
        "search",
        "device_search:search",
        {"seconds": 25.0, "baseline_seconds": 10.0, "settings": SEARCH, "block": 2_048, "baseline_block": 64},
        {
            "seconds": 1.0,
            "baseline_seconds": 1.0,
            "settings": (*SEARCH[1:], "lengths=0.02"),
            "block": 16,
            "baseline_block": 16,
        },
        45,
    ),
    Step(
        "packs",
        "device_training:packs",
        {"counts": (256, 1_024, 4_096), "steps": 20},
        {"counts": (1, 2), "steps": 2},
        25,
    ),
    Step("memory", "device_failures:memory", {"count": 512}, {"count": 16}, 15),
    Step(
        "frostbite",
        "device_frostbite:frostbite",
        {"policies": 128, "decisions": 50, "alone": 10, "played": 50},
        {"policies": 2, "decisions": 3, "alone": 1, "played": 3},
        30,
    ),
    Step("replaced-process", "device_failures:replaced_process", {}, {}, 35),
    Step(
        "kernel-sizes",
        "device_training:kernel_sizes",
        {"count": 4_096, "chunks": (1_024, 512, 2_048), "warps": (4, 8), "instances": (3, 6, 8)},
        {"count": 8, "chunks": (1_024,), "warps": (4,), "instances": (3,)},
        60,
    ),
)
