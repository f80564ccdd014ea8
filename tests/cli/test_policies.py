"""Policies on the command line, from the search to the file."""

import json
import os
import re
import shutil
import sqlite3
from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from command_line import call, data
from command_process import run_command
from svg_pictures import named, places, texts

from germline.cli.genome_diff import changes
from germline.cli.genome_file import kind_of
from germline.cli.genome_view import lines_view
from germline.cli.options import Amount
from germline.cli.presenters.policy import FEW, PolicyPresenter
from germline.db.store import Store
from germline.evaluators.policy.evaluator import PolicyEvaluator
from germline.evaluators.task import Episodes
from germline.programs.policy.genome import Policy, read, write
from germline.programs.policy.network import Network, Normalisation
from germline.search.winner import winner as winner_of

CART_POLE = Network("mlp", (4,), 2, (32, 32))
LONG = Policy(CART_POLE, 7, tuple((100 + i, 0.05) for i in range(100)))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policies") / "germline.db"
    settings = ("population=20", "parents=5", "candidates=4", "review_episodes=10", "test_episodes=20", "hidden=4")
    options = [part for setting in settings for part in ("--set", setting)]
    done = call(path, "search", "policy", "--executor", "inline", "--births", "60", "--name", "cp", *options)
    assert done.exit_code == 0, done.output
    return path


def test_the_kind_of_a_genome_follows_from_its_text() -> None:
    assert kind_of(write(LONG)) == "policy"
    assert kind_of('{"cell": []}') == kind_of("", json=True) == "architecture"
    assert kind_of("def train(w, g, lr):") == "optimizer"


@pytest.mark.slow
def test_the_reference_of_a_run_is_its_winner(database: Path) -> None:
    with Store(str(database)) as store:
        winner, run = winner_of(store, "cp").individual, store.run("cp")
        tested = [evaluation for evaluation in store.evaluations(run.id) if evaluation.rung == 2]
    assert [individual.birth for individual in tested] == [winner.birth]
    row = data(database, "show", "cp")
    assert (row["birth"], row["kind"]) == (winner.birth, "policy")
    for command in (("describe", "cp"), ("diff", "cp", "cp"), ("lineage", "cp"), ("play", "cp", "--episodes", "1")):
        assert f"cp:{winner.birth}" in call(database, *command).stdout
    assert f"winner: cp:{winner.birth}, test" in call(database, "top", "cp").stdout


def test_show_prints_the_score_with_its_interval(database: Path) -> None:
    row = data(database, "show", "cp")
    [test] = [evaluation for evaluation in row["evaluations"]["this"] if evaluation["rung"] == 2]
    assert row["score"] == {
        "mean": test["fitness"],
        "interval": pytest.approx(2.093 * test["measures"]["deviation"] / sqrt(20)),
        "episodes": 20,
        "of": "test",
    }
    text = call(database, "show", "cp").stdout
    for said in (
        "return",
        "± 95 %",
        "selects",
        "behaviour",
        "test after generation 2",
        "mlp 4-4-2 tanh",
        "germline play cp:",
    ):
        assert said in text
    assert f"{row['fitness']:.4f}" in text and f"{test['fitness']:.4f}" in text


@pytest.mark.slow
def test_a_score_used_for_selection_has_no_interval(database: Path, tmp_path: Path) -> None:
    with Store(str(database)) as store:
        winner, run = winner_of(store, "cp").individual.birth, store.run("cp")
        other = next(
            evaluation.birth
            for evaluation in store.evaluations(run.id)
            if evaluation.rung == 1 and evaluation.birth != winner
        )
    score = data(database, "show", f"cp:{other}")["score"]
    assert (score["of"], score["interval"]) == ("review", None)
    call(database, "export", f"cp:{other}", "-o", str(tmp_path / "agent.py"))
    assert f"Return: {score['mean']:.4f} over 10 episodes used for selection" in (tmp_path / "agent.py").read_text()


def test_of_many_reviews_the_last_is_printed(database: Path) -> None:
    with Store(str(database)) as store:
        run = store.run("cp")
        often = [evaluation for evaluation in store.evaluations(run.id) if evaluation.rung == 1]
    birth = max({review.birth for review in often}, key=[review.birth for review in often].count)
    rounds = sorted(review.seed for review in often if review.birth == birth)
    assert len(rounds) > 1
    text = call(database, "show", f"cp:{birth}").stdout
    assert text.count("review after") == 1 and f"review after generation {rounds[-1] - 1}" in text
    assert f"reviewed {len(rounds)} times, after generations {rounds[0] - 1} to {rounds[-1] - 1}" in text


def test_describe_counts_parameters_mutations_and_bytes(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a short reference, so that the table does not wrap
    Path("long.json").write_text(write(LONG))
    (row,) = data(database, "describe", "long.json")
    assert row["ref"] == "long.json"
    assert (row["kind"], row["parameters"], row["mutations"]) == ("policy", 1_282, 100)
    assert (row["genome_bytes"], row["float32_bytes"]) == (len(write(LONG)), 4 * 1_282)
    assert row["compression"] == row["float32_bytes"] / row["genome_bytes"]
    said = call(database, "describe", "long.json").stdout
    assert "1,282 parameters, 100 mutations; a genome of" in said and "5.0 KiB of float32" in said


def test_top_lists_network_and_mutations(database: Path) -> None:
    rows = data(database, "top", "cp", "-n", "5")
    assert [row["fitness"] for row in rows] == sorted((row["fitness"] for row in rows), reverse=True)
    text = call(database, "top", "cp", "-n", "5").stdout
    mutations = len(read(rows[0]["genome"]).mutations)
    assert f"mlp 4-4-2 tanh, {mutations} mutation" in text and "params" in text


def test_a_lineage_has_a_line_for_each_mutation(database: Path) -> None:
    rows = data(database, "lineage", "cp:59")
    policy = read(rows[-1]["genome"])
    assert len(rows) == 1 + len(policy.mutations)
    assert rows[0]["parents"] == [] and rows[0]["change"] == []
    for row, (seed, sigma) in zip(rows[1:], policy.mutations, strict=True):
        [change] = row["change"]
        assert change["kind"] == "added" and change["after"].split() == [
            "noise",
            "of",
            "seed",
            str(seed),
            "σ",
            f"{sigma:g}",
        ]
    lines = call(database, "lineage", "cp:59").stdout.splitlines()
    assert sum(bool(re.match(r" *\d+  ", line)) for line in lines) == len(rows)
    assert f"weights of seed {policy.seed}" in "\n".join(lines)
    assert "gains include luck" in lines[-2]


def test_a_long_history_is_abbreviated() -> None:
    presenter = PolicyPresenter()
    lines = presenter.lines(write(LONG))
    assert len(lines) == 2 + 100
    view = lines_view(presenter.shorten(lines)).plain
    assert "… 94 more" in view and view.count("\n") == 2 * FEW
    assert len(presenter.shorten(lines[:9])) == 9 and len(presenter.shorten(lines[:10])) == 9
    assert presenter.one_line(write(LONG)) == "mlp 4-32-32-2 tanh, 100 mutations"
    assert presenter.one_line(write(Policy(Network("conv", (4, 84, 84), 18), 1))) == "conv 4×84×84-18 same, 0 mutations"


def test_a_mutation_is_one_change() -> None:
    [change] = changes(write(LONG), write(LONG.child(9, 0.02)))
    assert (change.kind, change.live) == ("added", True)
    assert change.row()["statement"] == 101


def test_a_difference_of_long_histories_folds_what_is_common(database: Path, tmp_path: Path) -> None:
    other = Policy(CART_POLE, 7, (*LONG.mutations[:80], *((i, 0.1) for i in range(20))))
    paths = [tmp_path / "one.json", tmp_path / "other.json"]
    for path, policy in zip(paths, (LONG, other), strict=True):
        path.write_text(write(policy))
    text = call(database, "diff", *map(str, paths)).stdout
    assert text.count("more") == 3 and len(text.splitlines()) < 50
    assert "+ noise of seed 19" in text and "- noise of seed 199" in text
    assert len(data(database, "diff", *map(str, paths))["changes"]) == 40


def test_a_difference_of_networks_shows_both(database: Path, tmp_path: Path) -> None:
    scaled = Normalisation((0.0,) * 4, (2.0,) * 4)
    others = (replace(CART_POLE, activation="relu"), replace(CART_POLE, normalisation=scaled))
    paths = [tmp_path / f"{number}.json" for number in range(3)]
    for path, network in zip(paths, (CART_POLE, *others), strict=True):
        path.write_text(write(Policy(network, 7, LONG.mutations)))
    whole = "network mlp 4-32-32-2 tanh"
    relu, normalised = (call(database, "diff", str(paths[0]), str(path)).stdout for path in paths[1:])
    assert f"~ {whole}  →  network mlp 4-32-32-2 relu\n" in relu and relu.count("~ ") == 1
    assert f"~ {whole}  →  {whole}, normalised #" in normalised and normalised.count("~ ") == 1
    assert "different fingerprints" in relu and "… 9" in relu
    assert "~ " not in call(database, "diff", str(paths[0]), str(paths[0])).stdout
    assert f"{whole}, normalised #" in call(database, "show", str(paths[2])).stdout


def test_a_policy_plays_fresh_episodes_beside_its_untrained_network(database: Path) -> None:
    mine, other = data(database, "validate", "cp", "--rung", "0", "--seeds", "4")
    assert (mine["measure"], other["ref"], other["baseline"]) == ("return", "untrained", True)
    assert len(mine["values"]) == 4 and mine["mean"] > other["mean"]
    assert "each time" in call(database, "validate", "cp", "--rung", "0").stdout


@pytest.mark.parametrize("rung", [0, 1])
def test_a_validation_prints_as_many_episodes_as_it_plays(
    database: Path, monkeypatch: pytest.MonkeyPatch, rung: int
) -> None:
    right, counts = PolicyEvaluator._play, set()

    def counted(*args: Any) -> Any:
        found = right(*args)
        counts.update(map(len, found))
        return found

    monkeypatch.setattr(PolicyEvaluator, "_play", counted)
    text = call(database, "validate", "cp", "--rung", str(rung), "--seeds", "1").stdout
    [count] = counts
    assert f"rung {rung}: {Episodes(count)}, one fresh seed" in text


@pytest.mark.slow
def test_an_exported_policy_is_written_with_its_weights(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "agent.py"
    row = data(database, "export", "cp", "-o", str(path), "--class-name", "Agent")
    shown = data(database, "show", "cp")
    assert row == {
        "path": str(path),
        "target": "torch",
        "verified": True,
        "tolerance": 0.0,
        "fingerprint": shown["fingerprint"],
        "difference": 0.0,
        "class_name": "Agent",
        "weights": str(tmp_path / "agent.safetensors"),
    }
    source = path.read_text()
    assert "class Agent(nn.Module)" in source and "over 20 episodes" in source
    assert sorted(file.name for file in tmp_path.iterdir()) == ["agent.py", "agent.safetensors"]
    with Store(str(database)) as store:
        noted = {artifact.path for artifact in store.artifacts("cp")}
    assert {row["path"], row["weights"]} <= noted


@pytest.mark.slow
def test_an_export_prints_what_was_verified(database: Path, tmp_path: Path) -> None:
    said = call(database, "export", "cp", "-o", str(tmp_path / "agent.py")).stdout
    assert "verified: 3 episodes of gym:CartPole-v1 had the returns of the search's own network" in said
    with Store(str(database)) as store:
        outcome = winner_of(store, "cp").evaluation
    assert outcome is not None and outcome.fitness is not None
    returns = re.search(r"own network: ([0-9., ]+) \(the first gave it its fitness in the search\)", said)
    assert returns is not None and float(returns[1].split(", ")[0]) == outcome.fitness
    assert "from agent import" in said and "policy.act(observation)" in said
    said = call(database, "export", "cp", "-o", str(tmp_path / "agent.onnx"), "--to", "onnx").stdout
    assert "verified: onnxruntime chose the policy's actions" in said
    (tmp_path / "path.json").write_text(write(Policy(CART_POLE, 7)))
    row = data(database, "export", str(tmp_path / "path.json"), "-o", str(tmp_path / "other.py"))
    assert row["class_name"] == "PathPolicy"


@pytest.mark.slow
def test_a_file_that_cannot_be_imported_by_name_is_not_said_to_be(database: Path, tmp_path: Path) -> None:
    for name in ("class.py", "my-agent.py"):
        done = call(database, "export", "cp", "-o", str(tmp_path / name))
        assert done.exit_code == 0 and "verified" in done.stdout and "use it" not in done.stdout


LOUD = """
import os
from dataclasses import replace

from germline.evaluators.policy.environments.gymnasium_slots import GymnasiumEnvironments
from germline.evaluators.tasks.gym import GymTask

print("imported")


class Loud(GymTask):
    name, environment = "loud", "CartPole-v1"

    def environments(self, slots):
        print("printed", flush=True)
        os.write(1, b"written" + bytes([10]))
        return super().environments(slots)


class Broken(GymTask):
    name, environment = "broken", "CartPole-v1"

    def environments(self, slots):
        found = GymnasiumEnvironments("CartPole-v1", slots)
        right, found.step = found.step, lambda *args: replace(right(*args), failed={0: "a wheel came off"})
        return found
"""


@pytest.mark.slow
def test_output_of_a_task_does_not_mix_with_the_json(database: Path, tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(LOUD)
    options = ["--set", "population=10", "--set", "candidates=2", "--set", "test_episodes=0", "--births", "10"]
    for command in (
        ["search", "policy", "--task", "loud.py:Loud", "--executor", "inline", "--name", "loud", *options],
        ["play", "loud", "--episodes", "2", "--task", "loud.py:Loud"],
        ["export", "loud", "-o", "agent.py", "--task", "loud.py:Loud"],
        ["validate", "loud", "--rung", "0", "--task", "loud.py:Loud"],
    ):
        done = run_command(*command, "--json", database=tmp_path / "loud.db", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        json.loads(done.stdout)
        assert {"imported", "printed", "written"} <= set(done.stderr.splitlines())


def test_a_policy_of_no_run_needs_a_task_that_it_can_play(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "base.json"
    path.write_text(write(Policy(Network("mlp", (6,), 3, (4,)), 1)))
    done = call(database, "validate", str(path))
    assert (done.exit_code, done.stdout) == (2, "") and done.stderr.count("\n") == 1
    assert "expected a policy for gym:CartPole-v1" in done.stderr and "name its task with --task" in done.stderr
    assert call(database, "validate", str(path), "--task", "gym:Acrobot-v1", "--rung", "0").exit_code == 0


def test_a_validation_in_which_everything_fails_prints_the_error(database: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(LOUD)
    done = call(database, "validate", "cp", "--rung", "0", "--task", f"{tmp_path / 'broken.py'}:Broken")
    assert done.exit_code == 1 and done.stderr.splitlines()[-1].startswith("Error: no candidate could be measured; cp:")
    assert "failed: a wheel came off" in done.stderr and "failed: a wheel came off" in done.stdout


def test_the_summary_has_the_test_of_the_winner(database: Path) -> None:
    done = call(database, "resume", "cp")
    with Store(str(database)) as store:
        winner, run = winner_of(store, "cp").individual, store.run("cp")
        [test] = [evaluation for evaluation in store.evaluations(run.id) if evaluation.rung == 2]
    assert f"winner  cp:{winner.birth}  test {test.fitness:.4f} ± " in done.stdout
    assert "over 20 episodes\n" in done.stdout and "(start" not in done.stdout


@pytest.mark.slow
def test_weights_that_are_there_are_replaced_only_by_force(database: Path, tmp_path: Path) -> None:
    (tmp_path / "agent.safetensors").write_text("mine")
    refused = call(database, "export", "cp", "-o", str(tmp_path / "agent.py"))
    assert refused.exit_code == 2 and "agent.safetensors exists already" in refused.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["agent.safetensors"]
    assert call(database, "export", "cp", "-o", str(tmp_path / "agent.py"), "--force").exit_code == 0


def test_a_generation_is_drawn_with_its_parents_and_its_elite(database: Path, tmp_path: Path) -> None:
    path = tmp_path / "cloud.svg"
    assert data(database, "draw", "cp", "-o", str(path))["generation"] == 1, "the last one with children"
    root = ElementTree.fromstring(path.read_text())
    assert {"cp, generation 1: gym:CartPole-v1", "parents of the next generation", "fitness"} <= set(texts(root))
    assert "the two of 4 numbers of behaviour that vary most" in texts(root)
    assert len([text for text in texts(root) if re.match("final (cart|pole) ", text)]) == 2, "the names of the axes"
    with Store(str(database)) as store:
        chosen = {birth for scored in store.block("cp", 2) for birth in scored.individual.parents}
        here = {scored.individual.birth for scored in store.block("cp", 1)}
        elite = store.winners("cp")[1]
    assert elite is not None
    drawn = [len(places(root, name)) for name in ("policies", "parents")]
    assert drawn == [len((here | {elite}) - chosen), len(chosen)] and named(root, "elite") is not None
    last = call(database, "draw", "cp", "-o", str(path), "--force", "--generation", "2")
    assert "generation 2 of cp" in last.stdout and "it has no children" in path.read_text()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("describe", "cp", "--cells", "3"), "expected no cells for cp:"),
        (("describe", "cp", "--latency"), "expected an architecture or an optimizer for --latency"),
        (("export", "cp", "-o", "x.txt"), "expected a name that ends in .py"),
        (("export", "cp", "-o", "x.py", "--pick", "knee"), "expected a run of architectures"),
        (("export", "cp", "-o", "x.onnx"), "add --to onnx"),
        (("export", "cp", "-o", "x.py", "--to", "onnx"), "expected a name that ends in .onnx"),
        (("export", "cp", "-o", "x.txt", "--to", "onnx"), "write -o found.onnx"),
        (("export", "cp", "-o", "x.py", "--class-name", "Path"), "got 'Path'; write a name such as PathPolicy"),
        (("export", "cp", "-o", "x.py", "--class-name", "load_file"), "a class name that the file does not use itself"),
        (("export", "cp", "-o", "x.py", "--class-name", "nn"), "a class name that the file does not use itself"),
        (("export", "cp", "-o", "x.py", "--class-name", "torch"), "expected a class name"),
        (("export", "cp", "-o", "torch.py"), "expected a name other than that of a module"),
        (("export", "cp", "-o", "safetensors.py"), "which Python would import"),
        (("export", "cp", "-o", "pathlib.py"), "write -o found.py"),
        (("draw", "cp:3", "-o", "x.svg"), "expected a RUN of policies"),
        (("draw", "cp", "-o", "x.svg", "--generation", "9"), "generations 0 to 2 are complete"),
        (("draw", "cp", "-o", "nowhere/x.svg"), "expected an existing folder"),
        (("draw", "cp", "-o", "x.gif"), "expected a name that ends in .svg, .png or .pdf, got x.gif"),
        (("draw", "cp", "-o", "x.svg", "--front"), "expected a run of architectures for --front"),
        (("curve", "cp", "-o", "x.jpg"), "expected a name that ends in .svg, .png or .pdf, got x.jpg"),
        (("tasks", "gym:Nope"), "expected an environment of gymnasium, got 'Nope'"),
        (("search", "policy", "--task", ""), "unknown task ''"),
        (("top", "cp", "-n", "99999999999999999999"), "1<=x<=1000000000"),
        (("validate", "cp", "--cells", "3"), "expected no --channels and --cells for a policy"),
        (("diff", "cp", "library:lion"), "expected two genomes of one kind"),
    ],
)
def test_a_mistake_is_an_error_of_one_line(database: Path, args: tuple[str, ...], message: str) -> None:
    done = call(database, *args)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "command", [["describe"], ["show"], ["export", "-o", "x.py"], ["play", "--task", "gym:CartPole-v1"]]
)
def test_a_broken_file_is_an_error_of_one_line(database: Path, tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / "broken.json"
    path.write_text(write(LONG).replace("philox", "xorshift"))
    done = call(database, *command, str(path))
    assert done.exit_code == 2 and len(done.stderr.strip().splitlines()) == 1
    assert "expected noise philox-normal16/1" in done.stderr and "broken.json" in done.stderr


EVIL = """
from pathlib import Path

Path("{trace}").write_text("executed")
"""


@pytest.mark.slow
@pytest.mark.parametrize("task", ["{folder}/evil.py:T", "gym:evil:T-v0"])
@pytest.mark.parametrize(
    "command",
    [
        ("top", "cp"),
        ("show", "cp"),
        ("lineage", "cp"),
        ("describe", "cp"),
        ("compare", "cp"),
        ("curve", "cp"),
        ("diff", "cp", "cp:0"),
        ("draw", "cp", "-o", "cloud.svg"),
        ("runs",),
    ],
)
def test_to_look_at_a_run_executes_nothing_that_its_database_names(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, command: tuple[str, ...]
) -> None:
    trace = tmp_path / "trace"
    (tmp_path / "evil.py").write_text(EVIL.format(trace=trace))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    foreign = Path(shutil.copy(database, tmp_path / "foreign.db"))
    named = task.format(folder=tmp_path)
    with sqlite3.connect(foreign) as connection:
        connection.execute("update run set task = ?", (named,))
        connection.execute("update evaluation set task = ?", (named,))
    connection.close()
    done = call(foreign, *command)
    assert done.exit_code == 0, done.output
    assert not trace.exists()


def test_help_marks_the_options_of_policies(database: Path) -> None:
    said = {name: " ".join(call(database, name, "--help").stdout.split()) for name in ("search", "resume", "validate")}
    assert "germline search policy --task gym:CartPole-v1" in said["search"]
    for name in ("search", "resume"):
        assert "For policies: begin no block" in said[name] and "computes the networks of policies" in said[name]
    for part in ("Task to train on or to play", "how many episodes to play", "germline validate policy-1 --rung 2"):
        assert part in said["validate"]
    assert "RUN (its winner), RUN:best (the highest fitness)" in " ".join(
        call(database, "show", "--help").stdout.split()
    )


@pytest.mark.parametrize("text", ["off", "0", "nan", "1e400", "many"])
def test_frames_are_an_amount(database: Path, text: str) -> None:
    assert [Amount().convert(text, None, None) for text in ("2M", "400k", "2000000")] == [
        2 * 10**6,
        4 * 10**5,
        2 * 10**6,
    ]
    done = call(database, "resume", "cp", "--frames", text)
    assert done.exit_code == 2 and "expected a number such as 2M" in done.stderr


@pytest.mark.slow
def test_what_takes_milliseconds_is_scored_in_this_process(tmp_path: Path) -> None:
    found = {}
    for name, options in {"light": (), "asked": ("--workers", "1", "--executor", "inline")}.items():
        done = call(tmp_path / "runs.db", "search", "policy", "--births", "10", "--name", name, *options, *FEWER)
        assert done.exit_code == 0, done.output
        with Store(str(tmp_path / "runs.db")) as store:
            found[name] = {evaluation.worker for evaluation in store.evaluations(store.run(name).id)}
    assert found["light"] == found["asked"] and {str(one).partition(":")[2] for one in found["light"]} == {
        str(os.getpid())
    }


FEWER = ("--set", "population=10", "--set", "candidates=0", "--set", "test_episodes=0")


def test_a_named_task_has_its_environment(database: Path) -> None:
    [told] = data(database, "tasks", "gym:Pendulum-v1")
    assert (told["observation"], told["actions"], told["steps"]) == ([3], [[-2.0], [2.0]], 200)
    assert "observations [4], 2 actions, at most 500 decisions" in call(database, "tasks", "gym:CartPole-v1").stdout
    assert "observation" not in data(database, "tasks", "digits-mlp")[0]


REWARDED = """
import os
from gymnasium.envs.classic_control import CartPoleEnv
from germline.evaluators.tasks.gym import GymnasiumTask


class Rewarded(CartPoleEnv):
    def step(self, action):
        seen, reward, *others = super().step(action)
        return seen, float(os.environ["REWARD"]) * reward, *others


class Changing(GymnasiumTask):
    name = "changing"

    def make(self):
        return Rewarded()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("episodes", "first"), [(1, "the first"), (2, "the first 2"), (5, "")])
def test_an_export_notes_a_task_that_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, episodes: int, first: str
) -> None:
    path, database = tmp_path / "changing.py", tmp_path / "runs.db"
    path.write_text(REWARDED)
    monkeypatch.setenv("REWARD", "1")
    settings = ("population=4", "candidates=0", "test_episodes=0", f"episodes={episodes}")
    options = [part for setting in settings for part in ("--set", setting)]
    task = ("--task", f"{path}:Changing")
    run = ("--executor", "inline", "--births", "4", "--name", "cp")
    assert call(database, "search", "policy", *task, *run, *options).exit_code == 0
    same = call(database, "export", "cp", *task, "-o", str(tmp_path / "same.py")).stdout
    assert ("gave it its fitness in the search" in same) == bool(first) and f"({first}" in same
    monkeypatch.setenv("REWARD", "2")
    other = call(database, "export", "cp", *task, "-o", str(tmp_path / "other.py")).stdout
    assert "gave it its fitness in the search" not in other
    assert (f"({first} returned " in other and "changing has changed)" in other) == bool(first)
