"""The script of `make demo`: a search for optimizers and its baseline, an export at work, and a policy."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from germline.evaluators.data.load import digits

FOLDER = Path("demo")
EXPORT = FOLDER / "found_optimizer.py"
EVALUATIONS = 1_500
SEED = 1


def germline(*words: str, quiet: bool = False) -> str:
    """Runs a command in a subprocess. Returns its stdout if `quiet`, else an empty text."""
    print(f"\n$ germline {' '.join(words)}", flush=True)
    command = [shutil.which("germline") or "germline", *words]
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE if quiet else None)
    return done.stdout or ""


def search(name: str, says: str, *options: str) -> dict[str, Any]:
    """Searches for optimizers with Ray, and returns the summary of the run."""
    print(
        f"\n{says}\nRay starts and each worker loads the task and compiles, for up to a minute; then a line each 15 s."
    )
    budget = ("--seed", str(SEED), "--evaluations", str(EVALUATIONS))
    words = ("search", "optimizer", "--name", name, *budget, "--executor", "ray", *options, "--json")
    summary: dict[str, Any] = json.loads(germline(*words, quiet=True))
    return summary


def accuracy_after_training() -> float:
    """Accuracy on the held-out digits of a network that the exported optimizer trained."""
    spec = importlib.util.spec_from_file_location("found_optimizer", EXPORT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    data = digits()
    images, labels = (torch.as_tensor(array.reshape(len(array), -1)).squeeze() for array in data.part("train"))
    model = torch.nn.Sequential(torch.nn.Linear(64, 48), torch.nn.ReLU(), torch.nn.Linear(48, 10))
    optimizer = module.FoundOptimizer(model.parameters())
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
    for _ in range(400):
        batch = torch.randint(len(images), (64,))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images[batch].float() / 16), labels[batch].long()).backward()
        optimizer.step()
        schedule.step()
    images, labels = (torch.as_tensor(array.reshape(len(array), -1)).squeeze() for array in data.part("heldout"))
    return float((model(images.float() / 16).argmax(1) == labels).float().mean())


def main() -> None:
    torch.set_num_threads(1)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    os.environ["GERMLINE_DB"] = str(FOLDER / "germline.db")
    best = search("found", f"1 of 3: a search for optimizers, {EVALUATIONS:,} trainings.")
    says = "2 of 3: its baseline, which tunes the constants of the start program and leaves its structure."
    tuned = search("constants", says, "--set", "strategy=constants")
    start = json.loads(germline("show", "found:0", "--json", quiet=True))["fitness"]
    winner = f"found:{best['winner']['birth']}"
    germline("lineage", winner)
    germline("show", winner)
    germline("export", winner, "-o", str(EXPORT), "--class-name", "FoundOptimizer")
    print("\nFitness on digits-mlp (minus the validation loss; higher is better):")
    print(f"  start program, AdamW without bias correction   {start:.4f}")
    rows = [("best individual", best), ("best with constants tuned only", tuned)]
    for label, row in rows:
        print(f"  {label:<46} {row['best']['fitness']:.4f}   after {row['evaluations']} evaluations")
    print(f"  {f'winner by its reviews, {winner}':<46} {best['winner']['fitness']:.4f}")
    print(f"\nThe optimizer: {EXPORT}")
    print(f"It trains a fresh 64-48-10 network to {accuracy_after_training():.1%} on held-out digits in 400 steps.")
    print("\n3 of 3: the same loop for a policy, which learns to swing up a chain of two rods:")
    options = ("--births", "1500", "--seed", str(SEED), "--executor", "inline")
    germline("search", "policy", "--task", "gym:Acrobot-v1", "--name", "swing", *options)
    germline("export", "swing", "-o", str(FOLDER / "swing.py"))
    germline("play", "swing", "--episodes", "5")


if __name__ == "__main__":
    sys.exit(main())
