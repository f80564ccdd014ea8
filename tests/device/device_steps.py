"""The steps of a session, in the order of their worth: is it right, how fast is it, what becomes of errors."""

import device_checks as checks
import device_failures as failures
import device_measurements as measure
from device_session import Step

QUICK, PROXY = ("quick", 8, 3, 8, 32, 30, 64), ("proxy", 16, 8, 32, 16, 10, 128)
TINY = ("tiny", 4, 2, 8, 2, 2, 8)
SEARCH = ("block=2048", "population=1000", "warmup=0", "review_every=0")

STEPS = (
    Step("compile", checks.compile_kernels, {"apart": True}, {"apart": False}, 60),
    Step("engine-bits", checks.engine_bits, {"count": 600}, {"count": 12}, 20),
    Step("trainers", checks.trainers, {"count": 64, "steps": 20}, {"count": 4, "steps": 5}, 25),
    Step("networks", checks.networks, {"count": 8, "steps": 8}, {"count": 2, "steps": 2}, 15),
    Step(
        "policies",
        checks.policies,
        {"count": 8, "rows": 64, "maze_policies": 128, "decisions": 100},
        {"count": 2, "rows": 3, "maze_policies": 4, "decisions": 10},
        15,
    ),
    Step(
        "digits-mlp",
        measure.training,
        {"task": "digits-mlp", "count": 4_096, "rounds": 3, "alone": 2, "steps": None, "profiled": (10, 20)},
        {"task": "digits-mlp", "count": 8, "rounds": 1, "alone": 1, "steps": 4, "profiled": (1, 2)},
        45,
    ),
    Step(
        "text-transformer",
        measure.training,
        {"task": "text-transformer", "count": 512, "rounds": 2, "alone": 2, "steps": None, "profiled": (10, 20)},
        {"task": "text-transformer", "count": 4, "rounds": 1, "alone": 1, "steps": 4, "profiled": (1, 2)},
        45,
    ),
    Step("engine", measure.engine, {"count": 4_096, "rounds": 3}, {"count": 8, "rounds": 1}, 20),
    Step(
        "cells",
        measure.networks,
        {"cells": (QUICK, PROXY), "profiled": (4, 8)},
        {"cells": (TINY,), "profiled": (1, 2)},
        60,
    ),
    Step(
        "frostbite",
        measure.frostbite,
        {"policies": 128, "decisions": 50, "alone": 10, "played": 50},
        {"policies": 2, "decisions": 3, "alone": 1, "played": 3},
        40,
    ),
    Step(
        "search",
        measure.search,
        {"seconds": 60.0, "baseline_seconds": 10.0, "settings": SEARCH},
        {"seconds": 2.0, "baseline_seconds": 1.0, "settings": (*SEARCH[2:], "block=16", "lengths=0.02")},
        80,
    ),
    Step("memory", failures.memory, {"count": 512}, {"count": 16}, 20),
    Step("replaced-process", failures.replaced_process, {}, {}, 60),
    Step(
        "packs",
        measure.packs,
        {"counts": (16, 64, 256, 1_024, 4_096), "steps": 40},
        {"counts": (1, 2), "steps": 2},
        60,
    ),
)
