"""Policies of evolution strategies on the command line."""

import sqlite3
from pathlib import Path

import pytest
from command_line import call, data

from germline.cli.genome_diff import changes
from germline.cli.presenters.policy import PolicyPresenter, evolution_text
from germline.programs.policy.evolution import Generation, Member, OpenAiEs, SeparableCma
from germline.programs.policy.genome import Policy, read, write
from germline.programs.policy.network import Network

NETWORK = Network("mlp", (4,), 2, (4,))
MEAN = Policy(NETWORK, 7, (Generation(5, 0.1, (3, -1)), Generation(6, 0.1, (0, 2))), OpenAiEs("adam", 0.05))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policies") / "germline.db"
    common = ("population=11", "candidates=3", "review_episodes=3", "test_episodes=5", "hidden=4", "sigma=0.2")
    for name, settings in (("es", ("strategy=openai-es", "rank=1")), ("cma", ("strategy=sep-cma-es",))):
        options = [part for setting in (*common, *settings) for part in ("--set", setting)]
        done = call(path, "search", "policy", "--executor", "inline", "--births", "44", "--name", name, *options)
        assert done.exit_code == 0, done.output
    return path


def test_a_strategy_and_its_steps_have_a_line_each() -> None:
    lines = [line.text for line in PolicyPresenter().lines(write(MEAN.after(Member(8, 0.1, 3))))]
    assert lines[1:] == [
        "weights of seed 7",
        "openai-es, adam, rate 0.05",
        "moved by noise of seed 5          σ 0.1  by 2 ranks #" + lines[3][-6:],
        "moved by noise of seed 6          σ 0.1  by 2 ranks #" + lines[4][-6:],
        "member 3 of noise of seed 8          σ 0.1",
    ]
    assert lines[3][-6:] != lines[4][-6:]
    assert evolution_text(OpenAiEs("sgd", 1, 0.1, 2)) == "openai-es, sgd, rate 1, weight decay 0.1, noise of rank 2"
    assert evolution_text(SeparableCma(99)) == "sep-cma-es, 99 members"


def test_other_ranks_another_member_and_another_strategy_are_changes() -> None:
    others = [
        Policy(NETWORK, 7, (MEAN.mutations[0], Generation(6, 0.1, (0, 3))), MEAN.evolution),
        Policy(NETWORK, 7, MEAN.mutations, OpenAiEs("adam", 0.06)),
    ]
    for other in others:
        assert changes(write(MEAN), write(other))
    first, second = (write(MEAN.after(Member(8, 0.1, number))) for number in (2, 3))
    assert changes(first, second) and not changes(first, first)


def test_a_policy_says_how_many_generations_it_went_through() -> None:
    assert PolicyPresenter().one_line(write(MEAN)) == "mlp 4-4-2 tanh, mean after 2 generations"
    member = MEAN.after(Member(8, 0.1, 3))
    assert PolicyPresenter().one_line(write(member)) == "mlp 4-4-2 tanh, member after 2 generations"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["es", "cma"])
def test_means_and_members_are_shown_played_drawn_and_exported(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    mean, member = data(database, "show", f"{name}:33"), data(database, "show", f"{name}:40")
    assert (mean["operator"], member["operator"], member["parents"]) == ("mean", "perturb", [33])
    assert 22 < mean["parents"][0] < 33 and mean["parents"][1] == 22
    (facts,) = data(database, "describe", f"{name}:40")
    assert (facts["generations"], facts["mutations"]) == (3, 1)
    assert "3 generations, 1 mutation; a genome of" in call(database, "describe", f"{name}:40").stdout
    steps = data(database, "lineage", f"{name}:40")
    operators = [step["operator"] for step in steps]
    assert operators == ["random", "perturb", "mean", "perturb", "mean", "perturb", "mean", "perturb"]
    assert "moved by noise of seed" in call(database, "lineage", f"{name}:40").stdout
    for birth in (33, 40):
        played = data(database, "play", f"{name}:{birth}", "--episodes", "2")
        assert len(played["episodes"]) == 2
        exported = call(database, "export", f"{name}:{birth}", "-o", f"found{birth}.py")
        assert exported.exit_code == 0 and "the first gave it its fitness in the search" in " ".join(
            exported.output.split()
        )
        assert "Generations: 3" in Path(f"found{birth}.py").read_text()
    assert call(database, "draw", name, "-o", "drawn.svg").exit_code == 0
    assert call(database, "curve", name).exit_code == 0
    assert call(database, "validate", name, "--seeds", "2").exit_code == 0
    with sqlite3.connect(database) as connection:
        texts = dict(connection.execute("SELECT fingerprint, text FROM v_genomes").fetchall())
    assert read(texts[member["fingerprint"]]).generations == 3


@pytest.mark.slow
def test_a_mean_can_begin_a_search_by_mutations(database: Path) -> None:
    settings = ("population=6", "parents=1", "hidden=4", "candidates=0", "test_episodes=2")
    options = [part for setting in settings for part in ("--set", setting)]
    done = call(database, "import", "es:33", "--name", "ga", "--births", "12", *options)
    assert done.exit_code == 0, done.output
    assert call(database, "resume", "ga", "--executor", "inline").exit_code == 0
    mean = read(data(database, "show", "es:33")["genome"])
    assert read(data(database, "show", "ga:0")["genome"]) == mean
    children = [data(database, "show", f"ga:{birth}") for birth in range(6, 12)]
    parents = {child["parents"][0] for child in children}
    for child in children:
        assert child["operator"] == "mutate" and child["status"] == "ok"
        assert parents != {0} or read(child["genome"]).parent == mean


def test_a_strategy_that_plans_each_birth_takes_no_genome(database: Path) -> None:
    done = call(database, "import", "es:33", "--name", "no", "--births", "22", "--set", "strategy=openai-es")
    assert done.exit_code == 2 and "openai-es" in done.output and len(done.output.splitlines()) == 1
