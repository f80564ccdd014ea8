"""Operators from outside in a run: what they propose is recorded, and nobody is asked twice."""

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_rows import rows

from germline.db.records import ProposalRecord, RunRecord
from germline.db.store import Store
from germline.search.failures import SearchFailed
from germline.search.proposers.loading import UnconfirmedOperator
from germline.search.proposers.operator import BadOperator, OperatorProcess
from germline.search.proposers.request import Answer, Candidate, Request
from germline.search.replay import replay
from germline.search.run import evolve, new_run
from germline.search.settings import BadSetting

REQUEST = Request(9, 5, "optimizer", "digits-mlp", "", Candidate(7, "seed", "text", "ok", -1.0))

ERRATIC = """
import os, re

def propose(request):
    '''Another number, a copy, nonsense, or an error, and never the same twice.'''
    with open({log!r}, "a") as file:
        print(request.birth, request.refused is not None, file=file)
    with open({log!r}) as file:
        number = len(file.readlines())
    if number % 7 == 0:
        raise LookupError("nothing comes to mind")
    if number % 7 == 1:
        return "a poem"
    if number % 7 == 2:
        return request.parent.genome
    roll = int.from_bytes(os.urandom(4), "big")
    numbers = re.findall(r"\\d+\\.\\d+", request.parent.genome)
    return request.parent.genome.replace(numbers[roll % len(numbers)], f"0.{{roll}}", 1)
"""


@pytest.fixture
def erratic(tmp_path: Path) -> tuple[str, Path]:
    """An operator whose answers are new every time, and the file in which it notes each question."""
    log, file = tmp_path / "asked.txt", tmp_path / "erratic.py"
    file.write_text(ERRATIC.format(log=str(log)))
    return f"{file}:propose", log


def proposals(store: Store) -> list[ProposalRecord]:
    return store.proposals(1, 0, 10**6)


@pytest.mark.slow
def test_a_run_that_stops_again_and_again_is_the_one_that_its_records_derive(
    erratic: tuple[str, Path], small_run: Callable[..., RunRecord], store: Store, tmp_path: Path
) -> None:
    name, log = erratic
    small_run(f"operators={name}:0.5", "warmup=0", "litter=1", "lengths=0.05", births=64)
    for evaluations in (3, 13, 30, 999):
        for progress in evolve(store, "optimizer-1", operators=[name]):
            if progress.evaluations >= evaluations:
                break
    made = proposals(store)
    assert Counter(record.status for record in made).keys() == {"accepted", "invalid", "known", "failed"}
    asked = log.read_text().splitlines()
    assert len(asked) == len(set(asked)) == len(made)  # nobody was asked the same again
    assert asked == [f"{record.birth} {record.position > 0}" for record in made]
    assert replay(store, "optimizer-1").difference is None
    assert store.check() == []


@pytest.mark.slow
def test_what_becomes_of_a_proposal_is_counted_and_kept_with_its_birth(
    erratic: tuple[str, Path], small_run: Callable[..., RunRecord], store: Store
) -> None:
    name, _ = erratic
    small_run(f"operators={name}:0.5", "warmup=0", "litter=1", "lengths=0.05", births=64)
    *_, last = evolve(store, "optimizer-1", operators=[name])
    made = proposals(store)
    individuals = {individual.birth: individual for individual in store.individuals(1)}
    by_birth: dict[int, list[ProposalRecord]] = {}
    for record in made:
        by_birth.setdefault(record.birth, []).append(record)
    refused = [record for record in made if record.status in ("invalid", "known")]
    assert last.rejected == len(refused) == sum(each.rejected for each in individuals.values())
    for birth, records in by_birth.items():
        child = individuals[birth]
        assert child.rejected == sum(record in refused for record in records)
        if records[-1].status == "accepted":
            assert child.operator == "erratic.py:propose" and len(child.parents) == 1 and child.cached_from is None
            assert records[-1].reason is None
        else:
            assert child.operator in ("insert", "delete", "modify", "tune")
            assert records[-1].reason
    assert {each.birth for each in individuals.values() if each.operator == "erratic.py:propose"} <= set(by_birth)


@pytest.mark.slow
def test_variants_share_the_structure_of_a_leader_that_is_born(
    erratic: tuple[str, Path], small_run: Callable[..., RunRecord], store: Store
) -> None:
    name, _ = erratic
    small_run(f"operators=insert:1,tune:1,{name}:1", "warmup=0", "litter=4", "lengths=0.05", births=64)
    for _ in evolve(store, "optimizer-1", operators=[name]):
        pass
    individuals = {individual.birth: individual for individual in store.individuals(1)}
    variants = [each for each in individuals.values() if "+" in each.operator and each.birth >= 4]
    assert variants and any(each.operator == "erratic.py:propose" for each in individuals.values())
    for variant in variants:
        leader = individuals[variant.birth // 4 * 4]
        assert (leader.operator, leader.parents) == (variant.operator.partition("+")[0], variant.parents)


def test_an_operator_that_would_never_be_asked_is_refused(store: Store) -> None:
    with pytest.raises(BadSetting, match=r"expected litter=1, or weights of tune or rate, .* llm, got litter=2"):
        new_run(store, settings=["litter=2", "operators=insert:1,llm:0.5", "block=16", "warmup=0"])


@pytest.mark.slow
@pytest.mark.parametrize("share", ["0", "0.0"])
def test_a_share_of_zero_breeds_what_a_run_without_the_operator_breeds(
    share: str, small_run: Callable[..., RunRecord], store: Store, tmp_path: Path
) -> None:
    small_run("lengths=0.05", births=48)
    for _ in evolve(store, "optimizer-1"):
        pass
    with Store(str(tmp_path / "other.db")) as other:
        small_run("lengths=0.05", f"operators=llm:{share}", births=48, target=other)
        for _ in evolve(other, "optimizer-1"):
            pass
    assert rows(tmp_path / "other.db") == rows(tmp_path / "runs.db")


ARCHITECT = """
import json
def propose(request):
    cells = json.loads(request.parent.genome)
    place = request.seed % len(cells["normal"])
    cells["normal"][place][0] = "max_pool_3x3" if cells["normal"][place][0] != "max_pool_3x3" else "avg_pool_3x3"
    return json.dumps(cells)
"""
ADVISER = """
import json
def propose(request):
    policy = json.loads(request.parent.genome)
    policy["mutations"].append([request.seed, 0.01])
    return json.dumps(policy)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "code", "settings", "births"),
    [
        ("architecture", ARCHITECT, ("population=3", "block=3", "cells=1", "channels=4"), 9),
        ("policy", ADVISER, ("population=10", "parents=3", "candidates=2", "review_episodes=2", "test_episodes=0"), 30),
    ],
)
def test_every_kind_takes_operators_from_outside(
    kind: str, code: str, settings: tuple[str, ...], births: int, store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(code)
    name = f"{file}:propose"
    run = new_run(store, kind, settings=(*settings, f"operators={name}:0.7"), births=births, seed=2)
    for _ in evolve(store, run.name, operators=[name]):
        pass
    assert Counter(each.operator for each in store.individuals(1))["mine.py:propose"] > 0
    assert replay(store, run.name).difference is None


@pytest.mark.slow
def test_an_operator_without_answers_ends_the_search_and_a_resume_goes_on(
    small_run: Callable[..., RunRecord], store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def propose(request): raise SystemError('out of order')")
    name = f"{file}:propose"
    small_run(f"operators={name}:1", "warmup=0", "litter=1", "lengths=0.05", births=64)
    with pytest.raises(SearchFailed, match=r"mine.py:propose gave no answer 10 times in a row; .*out of order"):
        for _ in evolve(store, "optimizer-1", operators=[name]):
            pass
    assert [record.status for record in proposals(store)] == ["failed"] * 10
    file.write_text("def propose(request): return 'no program'")
    for _ in evolve(store, "optimizer-1", operators=[name]):
        pass
    assert store.run("optimizer-1").status == "finished"
    assert replay(store, "optimizer-1").difference is None


@pytest.mark.slow
def test_a_function_in_a_file_is_asked_only_if_it_is_named(
    erratic: tuple[str, Path], small_run: Callable[..., RunRecord], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, _ = erratic
    small_run(f"operators={name}:0.5", births=16)
    with pytest.raises(UnconfirmedOperator, match=f"because it is code .* add --operator {name}"):
        next(iter(evolve(store, "optimizer-1")))
    monkeypatch.chdir(Path(name).parent)
    next(iter(evolve(store, "optimizer-1", operators=["erratic.py:propose"])))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "message"),
    [
        (None, "expected the file of the operator"),
        ("x = (", "SyntaxError"),
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("other = 1", "has no attribute 'propose'"),
        ("propose = 1", "expected a function, got 1"),
        ("import sys; sys.exit(3)", "SystemExit"),
        ("import os; os._exit(3)", "its process ended with status 3"),
    ],
)
def test_an_operator_that_cannot_be_loaded_is_refused_before_there_is_a_run(
    code: str | None, message: str, store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "mine.py"
    if code is not None:
        file.write_text(code)
    with pytest.raises(BadOperator, match=message) as refused:
        new_run(store, settings=(f"operators={file}:propose:0.1",))
    assert "\n" not in str(refused.value)
    assert store.runs() == []


@pytest.fixture
def operator(tmp_path: Path) -> Any:
    """`operator(code, seconds)`: the answer of a function of this code, and of the same one after it."""

    def answers(code: str, seconds: float = 20.0) -> tuple[Answer, Answer]:
        file = tmp_path / "mine.py"
        file.write_text(code)
        process = OperatorProcess("mine", f"{file}:propose", seconds)
        try:
            return process.ask(REQUEST), process.ask(REQUEST)
        finally:
            process.close()

    return answers


COUNTED = "n = 0\ndef propose(request):\n  global n\n  n += 1\n  if n == 1 and request.birth == 9: {}\n  return str(n)"


@pytest.mark.parametrize(
    ("first", "error", "second"),
    [
        ("print('noise', flush=True)", None, "2"),
        ("raise ValueError('two\\nlines')", "ValueError: two", "2"),
        ("return None", "expected the text of a genome or an Answer, got None", "2"),
        ("return b'bytes'", "expected the text of a genome or an Answer, got b'bytes'", "2"),
        ("import os; os._exit(5)", "its process ended with status 5", "no"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "its process ended with status -11", "no"),
        ("import time; time.sleep(1000)", "no answer after 3 s", "no"),
        ("import ctypes; ctypes.PyDLL(None).sleep(1000)", "no answer after 3 s", "no"),
        ("return 'x' * 5_000_000", "an answer of more than 4,000,000 bytes", "no"),
    ],
)
@pytest.mark.slow
def test_whatever_a_function_does_has_an_outcome_and_the_next_question_an_answer(
    first: str, error: str | None, second: str, operator: Any
) -> None:
    answers = operator(COUNTED.format(first), 3.0)
    assert (answers[0].error, answers[0].text) == (error, "" if error else "1")
    # A process that ended begins anew, and does there what it did at first.
    assert answers[1].text == second if second != "no" else answers[1].error == error


@pytest.mark.slow
def test_a_request_with_a_cap_counts_as_a_call_if_its_process_is_ended(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("import time\ndef propose(request): time.sleep(1000)")
    process = OperatorProcess("mine", f"{file}:propose", 0.5, tokens=lambda request: request.birth)
    try:
        answer = process.ask(REQUEST)
    finally:
        process.close()
    assert (answer.calls, answer.prompt_tokens, answer.error) == (1, REQUEST.birth, "no answer after 0.5 s")


@pytest.mark.slow
def test_an_operator_may_say_what_it_did(operator: Any) -> None:
    code = (
        "from germline.search.proposers.request import Answer\n"
        "def propose(request): return Answer('text', 'temperature 3', model='m', prompt_tokens=5, calls=2)"
    )
    assert operator(code)[0] == Answer("text", "temperature 3", "m", 5, 0, 2)
    plain = operator("def propose(request): return 'text'")[0]
    assert plain.request == REQUEST.record()


@pytest.mark.slow
def test_a_program_that_a_function_started_ends_with_its_process(tmp_path: Path) -> None:
    file, left = tmp_path / "mine.py", tmp_path / "pid"
    start = f"process = subprocess.Popen(['sleep', '1000']); open({str(left)!r}, 'w').write(str(process.pid))"
    file.write_text(f"import subprocess\ndef propose(request):\n  {start}\n  process.wait()\n")
    process = OperatorProcess("mine", f"{file}:propose", 2.0)
    try:
        assert process.ask(REQUEST).error == "no answer after 2 s"
    finally:
        process.close()
    assert _ends(int(left.read_text()))


@pytest.mark.slow
def test_a_program_that_reads_stdin_finds_it_empty(operator: Any) -> None:
    code = (
        "import subprocess, sys\ndef propose(request): return repr(subprocess.run(['cat'], capture_output=True).stdout)"
    )
    assert [answer.text for answer in operator(code)] == ["b''", "b''"]
    assert operator("def propose(request): return input()")[0].error == "EOFError: EOF when reading a line"


@pytest.mark.slow
def test_of_two_operators_each_has_its_own_failures(
    small_run: Callable[..., RunRecord], store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "two.py"
    file.write_text("def a(request): raise SystemError('no')\ndef b(request): return 'no program'")
    names = [f"{file}:{function}" for function in "ab"]
    operators = ",".join(f"{name}:0.5" for name in names)
    small_run(f"operators={operators}", "warmup=0", "litter=1", "lengths=0.05", births=64)
    # What b answers is refused, and does not hide that a never answers.
    with pytest.raises(
        SearchFailed,
        match=r"two.py:a gave no answer 10 times in a row.*resume the run with --operator and the path of two.py:a",
    ):
        for _ in evolve(store, "optimizer-1", operators=names):
            pass


@pytest.mark.slow
def test_the_process_of_an_operator_ends_with_its_search(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("import os, time\ndef propose(request): open('pid', 'w').write(str(os.getpid())); time.sleep(1000)")
    child = os.fork()
    if child == 0:
        os.chdir(tmp_path)
        OperatorProcess("mine", f"{file}:propose", 1000.0).ask(REQUEST)
        os._exit(0)
    end = time.monotonic() + 60
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < end
        time.sleep(0.05)
    os.kill(child, 9)
    os.waitpid(child, 0)
    assert _ends(int((tmp_path / "pid").read_text()))


def _ends(pid: int) -> bool:
    """Whether a process ends within a minute."""
    end = time.monotonic() + 60
    while (status := Path(f"/proc/{pid}/status")).exists() and "(zombie)" not in status.read_text():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
