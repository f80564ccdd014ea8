"""What an evaluation is called on a page: words that say how much of the task it took, and what it decides."""

from germline.db.records import EvaluationRecord


def score_name(evaluation: EvaluationRecord, kind: str, home: str) -> str:
    """The name of an evaluation, with the task if it is not the run's.

    Args:
        evaluation: an outcome, a review or a test.
        kind: of the genome.
        home: the task of the run.
    """
    name = _of_policy(evaluation) if kind == "policy" else _of_training(evaluation)
    return name if evaluation.task == home else f"{evaluation.task}: {name}"


def group_name(evaluation: EvaluationRecord, kind: str, home: str) -> str:
    """The name of the evaluations that differ from this in their seeds alone."""
    if kind == "policy":
        name = ("search", "reviews", "tests")[min(evaluation.rung, 2)]
    else:
        name = "search and fresh seeds" if evaluation.rung == 0 else f"longer trainings (rung {evaluation.rung})"
    return name if evaluation.task == home else f"{evaluation.task}: {name}"


def _of_policy(evaluation: EvaluationRecord) -> str:
    """The seed of a review is its generation counted from 1; everywhere else generations count from 0."""
    if evaluation.rung == 0:
        return "search" if evaluation.seed == 0 else f"search, fresh seed {evaluation.seed}"
    name = "review" if evaluation.rung == 1 else "test"
    return f"{name} after generation {evaluation.seed - 1}" if evaluation.seed else name


def _of_training(evaluation: EvaluationRecord) -> str:
    if evaluation.rung == 0:
        return "search" if evaluation.seed == 0 else f"fresh seed {evaluation.seed}"
    seed = f", fresh seed {evaluation.seed}" if evaluation.seed else ""
    return f"longer training (rung {evaluation.rung}){seed}"
