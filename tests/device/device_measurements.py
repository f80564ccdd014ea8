"""Measurements on a device, each with its baseline in the same process."""

import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import atari
import candidate_steps
import launches
import numpy as np
import stacked
import torch
from device_checks import drawn
from device_session import NotHere
from torch import Tensor

from germline.evaluators.architecture.trainer import Networks, initial_networks, train_together
from germline.evaluators.optimizer.engine import ProgramEngine
from germline.evaluators.optimizer.trainer import train
from germline.evaluators.policy.environments.atari import FRAMES, AtariEnvironments
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.networks.stacked import StackedPolicies
from germline.evaluators.policy.player import Episode, play
from germline.evaluators.task import Rung
from germline.evaluators.tasks.registry import task_class
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.optimizer import parse, write
from germline.programs.optimizer.flat import Layout
from germline.programs.policy.parameters import initial_parameters


def training(
    device: str, task: str, count: int, rounds: int, alone: int, steps: int | None, profiled: tuple[int, int]
) -> dict[str, Any]:
    """Candidates of a training task trained together against one after the other; launches and waits of a step.

    Args:
        device: of both sides.
        task: name of the training task.
        count: number of candidates that train together.
        rounds, alone, steps: see `candidate_steps.trained`.
        profiled: steps of the two trainings whose launches are counted.
    """
    row = candidate_steps.trained(task, count, device, rounds, alone, steps)
    pool, loaded, batch = candidate_steps.programs(count), task_class(task)(device), task_class(task).rungs[0].batch

    def trains(count: int) -> object:
        return train(loaded, pool, Rung(count, batch), (0,), device)

    counts = launches.per_step(trains, device, profiled)
    layout = Layout(tuple(spec.shape for spec in loaded.parameters))
    fresh = [parse(write(program)) for program in pool]
    prepared = _seconds(lambda: ProgramEngine(fresh, layout, device))
    few, more = (min(_seconds(lambda count=count: trains(count)) for _ in range(3)) for count in profiled)
    milliseconds = 1e3 * (more - few) / (profiled[1] - profiled[0])
    rates = f"{row['value']:,.0f} candidate-steps/s, {row['ratio']:.1f}x; {milliseconds:.1f} ms a step"
    return {
        "summary": f"{rates}, {prepared:.1f} s to prepare the programs; {launches.said(counts)}",
        "rows": [row],
        "per_step": counts,
        "milliseconds_per_step": milliseconds,
        "seconds_to_prepare_programs": prepared,
    }


def _seconds(action: Callable[[], object]) -> float:
    """Wall-clock seconds of an action, which has to wait for the device at its end if it uses the device."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def engine(device: str, count: int, rounds: int) -> dict[str, Any]:
    """The program engine alone against plain torch."""
    row = candidate_steps.engine(count, device, rounds)
    return {"summary": f"{row['value']:.3g} operations/s, {row['ratio']:.1f}x", "rows": [row]}


def networks(
    device: str, cells: Sequence[tuple[str, int, int, int, int, int, int]], profiled: tuple[int, int]
) -> dict[str, Any]:
    """Networks of cells together against one after the other.

    Args:
        device: of both sides.
        cells: name, channels, cells, side of the images, number of networks, steps and batch of each row.
        profiled: steps of the two trainings whose launches are counted.
    """
    rows, counts = [], {}
    for name, channels, number, side, count, steps, batch in cells:
        skeleton = Skeleton(channels, number, 10, (3 if side == 32 else 1, side, side))
        rows.append(stacked.row(name, skeleton, count, Rung(steps, batch), device=device, alone=2))
        images = torch.rand(256, *skeleton.image, device=device)
        labels = torch.randint(0, 10, (256,), device=device)
        together = initial_networks(drawn(count, skeleton), skeleton, 0, device, stacked=True)
        trained = _trains(together, count, batch, images, labels, device)
        trained(1)
        counts[name] = launches.per_step(trained, device, profiled)
    said = "; ".join(f"{row['value']:,.0f} candidate-steps/s, {row['ratio']:.1f}x" for row in rows)
    return {"summary": said, "rows": rows, "per_step": counts}


def _trains(
    networks: Networks, count: int, batch: int, images: Tensor, labels: Tensor, device: str
) -> Callable[[int], object]:
    """A function that trains the networks together for a number of steps."""

    def train_steps(steps: int) -> object:
        rung, examples = Rung(steps, batch), len(images)
        return train_together(
            networks, count, rung, (0,), examples, lambda index: (images[index], labels[index]), device
        )

    return train_steps


def frostbite(device: str, policies: int, decisions: int, alone: int, played: int) -> dict[str, Any]:
    """Decisions a second of the networks of Frostbite, and frames a second of the game if its emulator is here.

    Args:
        device: of the stacked networks and of the modules that are the baseline.
        policies: networks that decide side by side.
        decisions: of each network.
        alone: decisions of each module.
        played: decisions of each policy in the game.
    """
    parameters = np.stack([initial_parameters(atari.NETWORK, seed) for seed in range(policies)])
    which, emulator = np.arange(policies), find_spec("ale_py") is not None
    images = _game_images(policies, decisions) if emulator else _drawn_images(policies, decisions)
    together, compiled = StackedPolicies(atari.NETWORK, parameters, device), networks_of(atari.NETWORK, parameters)
    compiled.assign_slots(which, np.ones(policies, bool))
    loop = atari.Loop(parameters[: min(policies, 32)], device)
    rates = {
        "stacked": _rate(lambda step: together.forward(which, images[step]), decisions, policies),
        "compiled, one core": _rate(lambda step: compiled.forward(which, images[step]), min(decisions, 10), policies),
        "modules": _rate(lambda step: loop.forward(which[:32], images[step][:32]), alone, min(policies, 32)),
    }
    name = "frostbite/network" + ("/cuda" if device == "cuda" else "")
    row = {
        "name": name,
        "value": rates["stacked"],
        "unit": "decisions/s",
        "baseline": "modules of torch, one policy after the other",
        "ratio": rates["stacked"] / rates["modules"],
    }
    game = _game_rates(together, compiled, policies, played) if emulator else {}
    frames = "frames of the game" if emulator else "drawn frames: the emulator is not here"
    return {
        "summary": f"{rates['stacked']:,.0f} decisions/s on {frames}, {row['ratio']:.1f}x modules",
        "rows": [row],
        "decisions_per_second": rates,
        "frames": "recorded" if emulator else "synthetic",
        "game_frames_per_second": game,
    }


def _rate(decide: Callable[[int], object], decisions: int, policies: int) -> float:
    """Decisions a second; every pass brings its outputs to the host, and so waits for the device."""
    decide(0)
    began = time.perf_counter()
    for step in range(decisions):
        decide(step)
    return policies * decisions / (time.perf_counter() - began)


def _game_images(policies: int, decisions: int) -> list[np.ndarray]:
    """Observations of games with random actions."""
    games, rng, slots = AtariEnvironments(atari.GAME, policies), np.random.default_rng(0), np.arange(policies)
    games.reset(slots, slots.tolist())
    images = []
    for _ in range(decisions):
        over = games.step(slots, rng.integers(0, atari.NETWORK.output_count, policies)).over
        if over.any():
            games.reset(slots[over], slots[over].tolist())
        images.append(games.observations.copy())
    return images


def _drawn_images(policies: int, decisions: int) -> list[np.ndarray]:
    """Observations like those of a game: a still picture with a few things that move."""
    rng = np.random.default_rng(0)
    still = rng.integers(0, 256, (policies, 12, 12), dtype=np.uint8).repeat(7, 1).repeat(7, 2)
    frames = []
    for time_ in range(decisions + 3):
        frame = still.copy()
        for thing in range(6):
            x, y = (5 * thing + time_ * (1 + thing % 3)) % 76, 12 * thing
            frame[:, y : y + 8, x : x + 8] = 40 * thing
        frames.append(frame)
    return [np.stack(frames[first : first + 4], 1) for first in range(decisions)]


def _game_rates(together: Any, compiled: Any, policies: int, decisions: int) -> dict[str, float]:
    """Frames a second of whole games in this process, with the networks on the device and on a core of the CPU."""
    games = AtariEnvironments(atari.GAME, policies)
    episodes = [Episode(policy, policy) for policy in range(policies)]
    rates = {}
    for name, backend, forward_async in (("stacked", together, together.forward_async), ("compiled", compiled, None)):
        arguments = atari.NETWORK.actions, games, episodes, decisions, backend.assign_slots, forward_async
        began = time.perf_counter()
        results = play(backend.forward, *arguments)
        rates[name] = FRAMES * sum(result.steps for result in results) / (time.perf_counter() - began)
    return rates


def search(device: str, seconds: float, baseline_seconds: float, settings: Sequence[str]) -> dict[str, Any]:
    """A whole search with its database in this process, against one on the CPU with the packs of a CPU."""
    for package in ("sqlalchemy", "alembic"):
        _need(package, "a search with its database")
    ours, theirs = _searched(device, seconds, settings), _searched("cpu", baseline_seconds, settings)
    row = {
        "name": "search/digits-mlp" + ("/cuda" if device == "cuda" else ""),
        "value": ours["evaluations"] / ours["seconds"],
        "unit": "evaluations/s",
        "baseline": "the same search on a core of the CPU",
        "ratio": (ours["evaluations"] / ours["seconds"]) / (theirs["evaluations"] / theirs["seconds"]),
    }
    summary = f"{ours['evaluations']} evaluations of {ours['births']} births in {ours['seconds']:.0f} s"
    return {
        "passed": ours["best"] is not None,
        "summary": f"{summary}, best {ours['best']}, {row['ratio']:.1f}x",
        "rows": [row],
        "ours": ours,
        "baseline": theirs,
    }


def _need(package: str, purpose: str) -> None:
    """Raises NotHere without a package."""
    if find_spec(package) is None:
        raise NotHere(f"{purpose} needs {package}, which is not here; put its wheel into wheels/")


def _searched(device: str, seconds: float, settings: Sequence[str]) -> dict[str, Any]:
    from germline.db.store import Store  # here, since the database comes from wheels
    from germline.search.run import evolve, new_run

    with tempfile.TemporaryDirectory() as folder, Store(str(Path(folder) / "runs.db"), create=True) as store:
        run = new_run(store, settings=settings, seed=1, births=1_000_000, device=device)
        began = time.monotonic()
        for _ in evolve(store, run.name, executor="inline", device=device, seconds=seconds):
            pass
        (summary,) = store.runs()
        return {
            "births": summary.births,
            "evaluations": summary.evaluations,
            "failures": summary.failures,
            "best": summary.best_fitness,
            "pack": run.config["settings"]["pack"],
            "seconds": time.monotonic() - began,
        }


def packs(device: str, counts: Sequence[int], steps: int) -> dict[str, Any]:
    """Candidate-steps a second of packs of several sizes, to choose the size of packs in a run."""
    rates = {
        name: {
            count: candidate_steps.together(
                name, candidate_steps.programs(count), Rung(steps, task_class(name).rungs[0].batch), device
            )
            for count in counts
        }
        for name in ("digits-mlp", "text-transformer")
    }
    best = {name: max((rate, count) for count, rate in by_count.items())[1] for name, by_count in rates.items()}
    said = ", ".join(f"{name}: {count} ({rates[name][count]:,.0f} candidate-steps/s)" for name, count in best.items())
    return {"summary": f"fastest packs {said}", "candidate_steps_per_second": rates}
