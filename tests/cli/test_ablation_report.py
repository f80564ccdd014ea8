"""The report of an ablation: what went, the figures of each number that was tried, and what may not go."""

from collections.abc import Sequence

import pytest

from germline.cli.output import console
from germline.cli.simplification.ablation_report import AblationReport, ablation_markdown, ablation_row, print_ablation
from germline.evaluators.outcome import Outcome
from germline.programs.optimizer import parse
from germline.search.ablation.ablate import ablate

PROGRAM = "def train(w, g, lr):\n  x = arcsin(g)\n  x = sign(x)\n  x = x * 0.9982\n  update = x * lr\n  return update\n"


class Formula:
    """An evaluator to which `sign` matters much and a factor other than 0.998 a little, and which cannot bear 0.99."""

    def score(self, genomes: Sequence[str], rung: int, seed: int) -> list[Outcome]:
        return [self._outcome(text, seed) for text in genomes]

    def _outcome(self, text: str, seed: int) -> Outcome:
        if "0.99\n" in text or "0.99" not in text:
            return Outcome("diverged", error="not finite by step 3")
        loss = 2.0 + seed % 2 + (0.0 if "sign" in text else 1.0)
        return Outcome("ok", -loss - (0.0 if "0.998" in text else 0.5))


@pytest.fixture
def report() -> AblationReport:
    result = ablate(parse(PROGRAM), Formula(), 1, 6, 0.02)  # type: ignore[arg-type]
    return AblationReport(result, "digits-mlp", 1, "2,000 steps of 64", 6, 0.02)


def test_the_report_has_the_steps_the_numbers_tried_and_what_may_not_go(report: AblationReport) -> None:
    text = "\n".join(ablation_markdown(report))
    assert "| x = arcsin(g) → g | 2.5000 | 2.5000 | 0.0000 ± 0.0000 |" in text
    assert "| 0.9982 → 0.99 | fails |  |" in text and "| 0.9982 → 0.998 | 0.0000 ± 0.0000 | taken |" in text
    assert "| 0.9982 → 0.999 | 0.5000 ± 0.0000 |  |" in text
    assert "| x = sign(g) → g | 1.0000 ± 0.0000 |" in text
    assert "on digits-mlp, rung 1: 2,000 steps of 64; 6 fresh seeds" in text and "margin 0.0500 (2.00% of it)" in text
    assert "0.997 may become 0.99, but not 0.9. That distance is the share of a state that a step forgets" in text
    assert "4 → 3 statements" in text and "with 6 other seeds the loss is 2.5000" in text


def test_the_same_is_printed_and_in_the_json(report: AblationReport, capsys: pytest.CaptureFixture[str]) -> None:
    print_ablation(console(), report)
    text = capsys.readouterr().out
    assert "by a factor of 10 at most" in " ".join(text.split())
    assert "x = arcsin(g) → g" in text and "numbers tried" in text and "may not go" in text
    row = ablation_row(report)
    assert [step["what"] for step in row["steps"]] == ["x = arcsin(g) → g", "0.9982 → 0.998"]
    tried = row["steps"][1]["tried"]
    assert [attempt["what"] for attempt in tried] == ["0.9982 → 0.99", "0.9982 → 0.998", "0.9982 → 0.999"]
    assert tried[0]["error"] == "not finite by step 3" and row["literals"] == 1
