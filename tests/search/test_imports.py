"""Genomes from elsewhere as births of a run: where they enter, and that their lineage is exact."""

from pathlib import Path
from typing import Any

import pytest
from command_line import call, data

from germline.db.records import RunRecord
from germline.db.store import Store
from germline.programs.optimizer import library, parse
from germline.programs.optimizer.space import OptimizerSpace
from germline.programs.policy.genome import Policy, write
from germline.programs.policy.network import Network
from germline.search.imports import STRATEGIES
from germline.search.kinds import KINDS
from germline.search.replay import replay
from germline.search.run import evolve, new_run
from germline.search.settings import BadSetting

SETTINGS = {
    "optimizer": ["population=4", "block=4", "pack=2", "lengths=0.02", "warmup=0", "litter=1"],
    "architecture": ["space=nb201", "population=4", "block=4"],
    "policy": ["population=4", "parents=2", "candidates=2", "test_episodes=0"],
}
TASKS = {"optimizer": "digits-mlp", "architecture": "nb201-cifar10", "policy": "gym:CartPole-v1"}
PRESETS = {"optimizer": "quick", "architecture": "nb201", "policy": "quick"}
CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"


def genomes(kind: str) -> list[str]:
    """Three genomes of a kind, from elsewhere."""
    if kind == "optimizer":
        texts = [library()[name] for name in ("lion", "sgd_momentum", "rmsprop")]
        space = OptimizerSpace(parse(library()["adamw_plain"]))
        return [space.write(space.read(text)) for text in texts]
    if kind == "policy":
        return [write(Policy(Network("mlp", (4,), 2, (32, 32)), 10**6 + seed)) for seed in range(3)]
    from germline.programs.architecture.genome import write as write_cells
    from germline.programs.architecture.notation import from_published

    cells = (CELL, CELL.replace("skip_connect~0", "none~0"), CELL.replace("nor_conv_3x3~2", "avg_pool_3x3~2"))
    return [write_cells(from_published(cell)) for cell in cells]


def importing_run(store: Store, kind: str, strategy: str, births: int = 24) -> RunRecord:
    settings = [*SETTINGS[kind], f"strategy={strategy}"]
    if (kind, strategy) == ("optimizer", "islands"):
        settings.append("islands=lion,sgd_momentum")
    if kind == "policy" and strategy == "random":
        settings = [setting for setting in settings if not setting.startswith("parents")]
    return new_run(
        store,
        kind,
        task=TASKS[kind],
        preset=PRESETS[kind],
        settings=settings,
        seed=3,
        births=births,
        imported=genomes(kind),
    )


def go_on(store: Store, run: RunRecord, stop: int = 10**9) -> None:
    """Evolves until so many births or, for `stop` events, until then."""
    for count, _ in enumerate(evolve(store, run.name, executor="inline", device="cpu")):
        if count == stop:
            break


def rows(store: Store, run: RunRecord) -> Any:
    return list(store.individuals(run.id)), store.winners(run.name)


def test_every_strategy_is_known_and_takes_genomes_or_not() -> None:
    refused = {kind: set(KINDS[kind].strategies) - set(taking) for kind, taking in STRATEGIES.items()}
    evolving = {"openai-es", "sep-cma-es"}  # all births of a generation follow from its mean
    assert refused == {"optimizer": {"constants"}, "architecture": {"local", "pareto-local"}, "policy": evolving}
    assert all(set(taking) <= set(KINDS[kind].strategies) for kind, taking in STRATEGIES.items())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "strategy"), [(kind, strategy) for kind, taking in STRATEGIES.items() for strategy in taking]
)
def test_imported_genomes_are_the_first_births_and_a_cut_run_is_the_same(
    tmp_path: Path, kind: str, strategy: str
) -> None:
    with Store(str(tmp_path / "whole.db")) as store, Store(str(tmp_path / "cut.db")) as cut:
        run, other = importing_run(store, kind, strategy), importing_run(cut, kind, strategy)
        go_on(store, run)
        for stop in (0, 2, 3, 10**9):
            go_on(cut, other, stop)
        individuals, _ = rows(store, run)
        assert rows(store, run) == rows(cut, other)
        imported = [individual for individual in individuals if individual.operator == "import"]
        assert [individual.genome for individual in imported] == genomes(kind)
        founders = [individual.operator for individual in individuals[: imported[0].birth]]
        assert set(founders) <= {"seed"}  # right behind the start genomes
        assert [individual.birth for individual in imported] == list(range(len(founders), len(founders) + 3))
        assert all(not individual.parents for individual in imported)
        derived = replay(store, run.name)
        assert (derived.difference, derived.births) == (None, 24)
        assert store.check() == []


@pytest.mark.slow
def test_children_descend_from_imported_genomes(tmp_path: Path) -> None:
    with Store(str(tmp_path / "runs.db")) as store:
        run = importing_run(store, "policy", "truncation", births=60)
        go_on(store, run)
        individuals, _ = rows(store, run)
        parents = {parent for individual in individuals for parent in individual.parents}
        assert parents & {0, 1, 2}


def test_a_run_without_imports_has_nothing_of_them_in_its_config(tmp_path: Path) -> None:
    with Store(str(tmp_path / "runs.db")) as store:
        run = new_run(store, "policy", task="gym:CartPole-v1", settings=SETTINGS["policy"], births=8)
        assert "imported" not in run.config


@pytest.mark.parametrize(
    ("settings", "texts", "message"),
    [
        (["strategy=constants"], ["lion"], "expected a strategy that takes genomes from elsewhere"),
        (["tune_every=16"], ["lion"], "got tune_every"),
        (["litter=2"], ["lion"], "expected litter=1 for genomes from elsewhere, got litter=2; use --set litter=1"),
        ([], ["lion"] * 30, "expected at least 31 births"),
        (
            ["functions=core"],
            ["def train(w, g, lr, progress):\n  update = g * progress\n  return update\n"],
            "use --set functions=extended",
        ),
    ],
)
def test_what_a_run_cannot_import_is_a_mistake(
    tmp_path: Path, settings: list[str], texts: list[str], message: str
) -> None:
    texts = [library().get(name, name) for name in texts]
    with Store(str(tmp_path / "runs.db")) as store:
        with pytest.raises(BadSetting, match=message):
            new_run(store, settings=settings, births=20, imported=texts)
        assert store.runs() == []


@pytest.mark.slow
def test_the_command_imports_files_and_resume_scores_them(tmp_path: Path) -> None:
    db, file = tmp_path / "runs.db", tmp_path / "policy.json"
    file.write_text(genomes("policy")[0])
    words = [word for setting in SETTINGS["policy"] for word in ("--set", setting)]
    done = call(db, "import", file, "--name", "mine", "--task", "gym:CartPole-v1", "--births", "8", *words)
    assert done.exit_code == 0 and "begins with 1 genome from elsewhere" in done.stdout, done.stderr
    assert "go on   germline resume mine" in done.stdout
    file.unlink()  # the run has what it needs
    assert data(db, "resume", "mine", "--executor", "inline")["births"] == 8
    assert data(db, "show", "mine:0")["operator"] == "import"
    assert "import" in call(db, "lineage", "mine:0").stdout
    again = call(db, "import", "mine:0", "library:lion")
    assert again.exit_code == 2 and "expected genomes of one kind" in again.stderr
    assert data(db, "import", "mine:0", "--task", "gym:CartPole-v1")["imported"] == 1


def test_a_network_of_another_form_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(write(Policy(Network("mlp", (4,), 2, (7,)), 1)))
    done = call(tmp_path / "runs.db", "import", file, "--task", "gym:CartPole-v1")
    assert done.exit_code == 2 and "expected a policy with the network of the run" in done.stderr


def test_the_command_refuses_the_name_of_a_file_and_warns_of_a_held_out_task(tmp_path: Path) -> None:
    done = call(tmp_path / "runs.db", "import", "library:lion", "--name", "best.txt")
    assert done.exit_code == 2 and "got 'best.txt', which commands would read as a file" in done.stderr
    done = call(tmp_path / "runs.db", "import", "library:lion", "--task", "digits-deep", "--name", "deep")
    assert done.exit_code == 0, done.stderr
    assert "Warning: digits-deep is a held-out task" in done.stderr
