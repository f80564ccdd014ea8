"""Scores the genomes of a subject in another process, with other hashes, other memory and another random state."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from germline.evaluators.errors import one_line
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.outcome import Outcome
from germline.search.task_trial.subject import Subject, shorten

SECONDS = 600.0
"""Time limit of the process."""


class NoOutcomes(RuntimeError):
    """The process ended without outcomes; the message says why, in one line."""


def score_in_other_process(subject: Subject) -> list[Outcome]:
    """The outcomes of all genomes as one pack.

    Raises:
        NoOutcomes: the process failed, or took longer than `SECONDS`.
    """
    environment = {**os.environ, "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"}
    with TemporaryDirectory() as folder:
        question, answer = Path(folder, "question.json"), Path(folder, "answer.json")
        question.write_text(json.dumps({"spec": asdict(subject.spec), "genomes": subject.genomes}))
        command = [sys.executable, "-m", "germline.search.task_trial.other_process", str(question), str(answer)]
        errors = Path(folder, "stderr")
        try:
            with errors.open("wb") as stderr:
                process = subprocess.run(
                    command, env=environment, timeout=SECONDS, stdout=subprocess.DEVNULL, stderr=stderr, check=False
                )
        except subprocess.TimeoutExpired:
            raise NoOutcomes(f"no outcomes after {SECONDS:g} s") from None
        if process.returncode or not answer.exists():
            cause = _last_line(errors)
            raise NoOutcomes(one_line(f"no outcomes, exit status {process.returncode}: {cause}"))
        return [Outcome(**row) for row in json.loads(answer.read_text())]


def _last_line(path: Path) -> str:
    """The last line of a file's text, blank lines at its end aside; only the last 10,000 bytes are read."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 10_000))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


def main(arguments: Sequence[str]) -> None:
    """Reads a spec and genomes from the first file, and writes their outcomes to the second; both are JSON."""
    question = json.loads(Path(arguments[0]).read_text())
    evaluator = EvaluatorSpec(**question["spec"]).build()
    shorten(evaluator)
    outcomes = evaluator.score(question["genomes"], 0, 0)
    Path(arguments[1]).write_text(json.dumps([asdict(outcome) for outcome in outcomes]))


if __name__ == "__main__":
    main(sys.argv[1:])
