"""The block loop over invented outcomes: however a run is cut, its rows and winners are those of a run in one."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from germline.db.errors import NothingScored
from germline.db.records import RunRecord, Snapshot, Winner
from germline.db.store import Store
from germline.evaluators.executors.executor import Job
from germline.evaluators.outcome import Outcome
from germline.programs.space import Space
from germline.search.failures import SearchFailed
from germline.search.individual import Block, Individual, Proposal, Review, RngFor
from germline.search.journal import StoreJournal
from germline.search.loop import LoopSettings, Search
from germline.search.progress import Progress
from germline.search.snapshot import _digest
from germline.search.strategy import Strategy
from germline.search.winner import winner, winners

BLOCK = 4
BIRTHS = 18
"""Four whole blocks, and one that the budget cuts short."""


class Words:
    """A space of words, each its own fingerprint."""

    def fingerprint(self, genome: str) -> str:
        return genome

    def write(self, genome: str) -> str:
        return genome

    def sizes(self, genome: str) -> tuple[int, int]:
        return 1, 1


@dataclass(frozen=True)
class State:
    """The elite with its fitness, the number of blocks, and the reviews to score."""

    elite: Individual | None = None
    fitness: float = -1.0
    blocks: int = 0
    due: tuple[Review, ...] = ()


@dataclass(frozen=True)
class Elitist(Strategy[State]):
    """Draws one of so many words; the elite is reviewed after each block if `reviewed`, and at the closing."""

    state_classes = (State,)

    words: int = 1000
    reviewed: bool = True
    hands_over_failures: bool = False

    def init(self) -> State:
        return State()

    def breed(self, state: State, birth: int, rng_for: RngFor) -> Proposal:
        # The state enters the genome, so that a state in the wrong order would change the lineage.
        elite = state.elite.genome if state.elite and self.words > 100 else ""
        return Proposal(f"{elite[-6:]}{rng_for(birth).integers(self.words)}", (), "random")

    def advance(self, state: State, block: Block) -> State:
        if block.reviews:
            best = max(block.reviews, key=lambda reviewed: reviewed.outcome.fitness or -1.0)
            return replace(state, elite=best.review.individual, due=())
        state = replace(state, blocks=state.blocks + 1)
        for scored in block.births:
            fitness = -1.0 if scored.fitness is None else scored.fitness
            if (fitness > state.fitness) != self.hands_over_failures:
                state = replace(state, elite=scored.individual, fitness=fitness)
        if not (self.reviewed and state.elite):
            return state
        ok = [scored.individual for scored in block.births if scored.fitness is not None]
        unique = {individual.fingerprint: individual for individual in (*ok[-1:], state.elite)}
        return replace(state, due=tuple(Review(each, 1, state.blocks) for each in unique.values()))

    def reviews(self, state: State) -> Sequence[Review]:
        return state.due

    def closing(self, state: State) -> Sequence[Review]:
        return (Review(state.elite, 2, state.blocks),) if self.reviewed and state.elite else ()

    def winner(self, state: State) -> Individual | None:
        return state.elite


class Inventor:
    """An executor whose outcomes follow from the genome, rung and seed; it finishes the first or the last job first."""

    def __init__(self, last_first: bool = False, fails: bool = False) -> None:
        self.last_first = last_first
        self.fails = fails
        self.jobs: list[Job] = []

    def submit(self, job: Job) -> None:
        self.jobs.append(job)

    def next(self) -> tuple[Job, list[Outcome]]:
        job = self.jobs.pop(-1 if self.last_first else 0)
        return job, [self._outcome(genome, job) for genome in job.genomes]

    def close(self) -> None:
        self.jobs.clear()

    def _outcome(self, genome: str, job: Job) -> Outcome:
        number = zlib.crc32(f"{genome} {job.rung} {job.seed}".encode()) % 1000
        if self.fails or number % 7 == 0:
            return Outcome("crashed", error="invented")
        return Outcome("ok", float(number), {"return": float(number)})


class Killed(Exception):
    """The process ends here."""


class MortalJournal(StoreJournal):
    """A journal whose process is killed before its transaction number `lifetime`."""

    def __init__(self, store: Store, run: RunRecord, lifetime: int = 1_000_000) -> None:
        super().__init__(store, run)
        self.lifetime = lifetime
        self.transactions: list[str] = []

    def record_births(self, individuals: Sequence[Individual]) -> None:
        self._begin("births")
        super().record_births(individuals)

    def record_outcomes(self, *records: Any) -> None:
        self._begin("outcomes")
        super().record_outcomes(*records)

    def record_winners(self, winners: Sequence[Winner], snapshot: Snapshot | None = None) -> None:
        self._begin("winners")
        super().record_winners(winners, snapshot)

    def _begin(self, transaction: str) -> None:
        if len(self.transactions) >= self.lifetime:
            raise Killed
        self.transactions.append(transaction)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "runs.db"))


@pytest.fixture
def create(store: Store) -> Callable[[str], RunRecord]:
    return lambda name: store.create_run(name, "policy", "gym:CartPole-v1", "quick", 1, {}, {})


def search(
    store: Store,
    run: RunRecord,
    strategy: Elitist | None = None,
    depth: int = 0,
    executor: Inventor | None = None,
    journal: StoreJournal | None = None,
    max_failures: int = 50,
    snapshot_every: int = 10**9,
) -> Search:
    return Search(
        cast(Space[Any], Words()),
        strategy or Elitist(),
        executor or Inventor(),
        journal or StoreJournal(store, run),
        LoopSettings(seed=3, block=BLOCK, depth=depth, pack=2, max_failures=max_failures),
        snapshot_every,
    )


def finish(search: Search, births: int = BIRTHS) -> Progress:
    *_, last = search.events(births)
    return last


def winner_rows(store: Store, name: str) -> tuple[dict[int, int | None], int | None]:
    """The winners of the blocks, and the latest winner."""
    latest = store.winner(name)
    return dict(store.winners(name)), latest and latest.individual.birth


def rows(store: Store, run: RunRecord) -> tuple[object, ...]:
    """The births, the outcomes in any order, and the winners."""
    outcomes = {
        (record.fingerprint, record.rung, record.seed): (record.birth, record.fitness)
        for record in store.evaluations(run.id)
    }
    return list(store.individuals(run.id)), outcomes, winner_rows(store, run.name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("depth", "last_first", "snapshot_every"),
    [
        pytest.param(0, False, 10**9, id="no depth, first job first"),
        pytest.param(0, True, BLOCK, id="no depth, snapshots"),
        pytest.param(1, True, 10**9, id="depth 1, last job first"),
        pytest.param(2, True, BLOCK, id="depth 2, snapshots"),
    ],
)
@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param(Elitist(), id="reviews"),
        pytest.param(Elitist(reviewed=False), id="no reviews"),
        pytest.param(Elitist(words=3), id="cached blocks and reviews"),
        pytest.param(Elitist(words=3, reviewed=False), id="cached blocks"),
    ],
)
def test_a_run_that_is_killed_between_any_two_transactions_has_the_rows_of_a_run_in_one(
    store: Store,
    create: Callable[[str], RunRecord],
    strategy: Elitist,
    depth: int,
    last_first: bool,
    snapshot_every: int,
) -> None:
    straight = create("straight")
    journal = MortalJournal(store, straight)
    announced = finish(search(store, straight, strategy, depth, Inventor(last_first), journal))
    assert announced.winner is not None
    blocks, latest = winner_rows(store, "straight")
    assert list(blocks) == list(range(BIRTHS // BLOCK)) and latest == announced.winner.birth
    for lifetime in range(len(journal.transactions)):
        run = create(f"killed-{lifetime}")
        with pytest.raises(Killed):
            finish(
                search(
                    store,
                    run,
                    strategy,
                    depth,
                    Inventor(last_first),
                    MortalJournal(store, run, lifetime),
                    50,
                    snapshot_every,
                )
            )
        known = winner_rows(store, run.name)[0]
        assert known == {block: birth for block, birth in blocks.items() if block < len(known)}
        resumed = finish(search(store, run, strategy, depth, Inventor(not last_first), snapshot_every=snapshot_every))
        assert rows(store, run) == rows(store, straight)
        assert replace(resumed, replayed=0, dead_share=None, new_best=False) == replace(
            announced, replayed=0, dead_share=None, new_best=False
        )
    assert store.check() == []


@pytest.mark.slow
@pytest.mark.parametrize("snapshot_every", [10**9, BLOCK], ids=["no snapshots", "snapshots"])
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_larger_budget_goes_on_from_the_last_whole_block_and_outranks_the_closing(
    store: Store, create: Callable[[str], RunRecord], depth: int, snapshot_every: int
) -> None:
    straight, longer = create("straight"), create("longer")
    finish(search(store, straight, depth=depth), 40)
    for births in (BLOCK - 1, BIRTHS, 40):
        last = finish(search(store, longer, depth=depth, snapshot_every=snapshot_every), births)
        latest = store.winner("longer")
        assert latest is not None and last.winner is not None and latest.individual.birth == last.winner.birth
    assert winner_rows(store, "longer") == winner_rows(store, "straight")
    assert list(store.individuals(longer.id)) == list(store.individuals(straight.id))
    assert store.check() == []


def test_a_resume_reads_only_what_comes_after_the_snapshot(store: Store, create: Callable[[str], RunRecord]) -> None:
    run = create("run")
    finish(search(store, run, depth=1, snapshot_every=2 * BLOCK))
    saved = store.snapshot(run.id)
    assert saved is not None
    resumed = search(store, run, depth=1)
    resumed.read_records(None, None)
    assert resumed.complete_blocks == saved.block + 1 and resumed.replayed == BIRTHS
    assert [each.birth for each in resumed.recorded] == list(range((saved.block + 1) * BLOCK, BIRTHS))


@pytest.mark.slow
@pytest.mark.parametrize("content", ["", "x", "0 []", "{} []"])
def test_a_damaged_snapshot_is_left_aside(
    store: Store, create: Callable[[str], RunRecord], content: str, caplog: pytest.LogCaptureFixture
) -> None:
    straight, damaged = create("straight"), create("damaged")
    for births in (BIRTHS, 40):
        finish(search(store, straight), births)
    finish(search(store, damaged, snapshot_every=BLOCK))
    saved = store.snapshot(damaged.id)
    assert saved is not None
    # A digit more in a number, as after a flipped bit.
    store.add_winners(damaged.id, [], replace(saved, content=content or saved.content.replace('"birth":', '"birth":1')))
    finish(search(store, damaged, snapshot_every=10**9), 40)
    assert "the snapshot of the search is left aside" in caplog.text
    assert rows(store, damaged) == rows(store, straight)


@pytest.mark.parametrize("content", ["{", "[" * 100_000, '{"birth":[]}', '{"birth":1180591620717411303424}', "[1]"])
def test_a_forged_snapshot_is_left_aside(
    store: Store, create: Callable[[str], RunRecord], content: str, caplog: pytest.LogCaptureFixture
) -> None:
    run = create("run")
    finish(search(store, run, snapshot_every=BLOCK))
    saved = store.snapshot(run.id)
    assert saved is not None
    text = f"{_digest(content, Elitist.state_classes)} {content}"
    store.add_winners(run.id, [], replace(saved, content=text))
    resumed = search(store, run)
    resumed.read_records(None, None)
    assert "the snapshot of the search is left aside" in caplog.text and resumed.complete_blocks == 0


@pytest.mark.slow
@pytest.mark.parametrize("evaluations", [3, 10, 20, 26])
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_budget_that_ends_before_the_snapshot_ends_there(
    store: Store, create: Callable[[str], RunRecord], evaluations: int, depth: int
) -> None:
    names = ("with", "without")
    for name, snapshot_every in zip(names, (BLOCK, 10**9), strict=True):
        run = create(name)
        finish(search(store, run, depth=depth, snapshot_every=snapshot_every))
        *_, last = search(store, run, depth=depth).events(evaluations=evaluations)
        assert last.winner is not None
    assert rows(store, store.run("with")) == rows(store, store.run("without"))


@pytest.mark.slow
def test_of_two_sessions_that_close_after_the_same_block_the_later_one_names_the_winner(
    store: Store, create: Callable[[str], RunRecord]
) -> None:
    run = create("run")
    announced = []
    for births in (17, 18, 19, 19):
        last = finish(search(store, run, Elitist(reviewed=False)), births)
        assert last.winner is not None
        announced.append(last.winner.birth)
        assert winner_rows(store, "run")[1] == announced[-1]
    assert store.check() == []


def test_a_run_that_is_left_before_its_first_block_is_complete_has_no_winner_yet(
    store: Store, create: Callable[[str], RunRecord]
) -> None:
    run = create("run")
    events = search(store, run).events(BIRTHS)
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert winner_rows(store, "run") == ({}, None) and winners(store, "run") == {}
    assert winner(store, "run") == store.best("run")


def test_a_run_in_which_everything_fails_has_complete_blocks_and_no_winner(
    store: Store, create: Callable[[str], RunRecord]
) -> None:
    run = create("run")
    with pytest.raises(
        SearchFailed, match=r"the last 10 scorings failed \(in the whole run: 10 crashed\); the last one: invented"
    ):
        finish(search(store, run, Elitist(reviewed=False), executor=Inventor(fails=True), max_failures=10))
    assert winner_rows(store, "run") == ({0: None, 1: None}, None)
    assert winners(store, "run") == {0: None, 1: None} and store.check() == []
    with pytest.raises(NothingScored):
        winner(store, "run")


def test_an_individual_without_an_ok_outcome_is_no_winner_even_if_the_strategy_names_it(
    store: Store, create: Callable[[str], RunRecord]
) -> None:
    run = create("run")
    last = finish(search(store, run, Elitist(reviewed=False, hands_over_failures=True)))
    blocks, latest = winner_rows(store, "run")
    failed = {each.birth for each in store.evaluations(run.id) if each.status != "ok"}
    assert failed and not failed & set(blocks.values())
    assert latest is None if last.winner is None else latest == last.winner.birth
    assert store.check() == []


@pytest.mark.slow
@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("reviewed", [True, False])
def test_a_block_costs_no_transaction_for_its_winner_alone(
    store: Store, create: Callable[[str], RunRecord], reviewed: bool, depth: int
) -> None:
    run = create("run")
    journal = MortalJournal(store, run)
    finish(search(store, run, Elitist(reviewed=reviewed), depth, journal=journal))
    # Without reviews the closing has no outcome to come with.
    assert journal.transactions.count("winners") == (0 if reviewed else 1)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_births_that_a_smaller_budget_leaves_without_outcome_are_counted(
    store: Store, create: Callable[[str], RunRecord], depth: int
) -> None:
    run = create("run")
    journal = MortalJournal(store, run, lifetime=5 + 2 * depth)
    with pytest.raises(Killed):
        finish(search(store, run, Elitist(reviewed=False), depth, journal=journal))
    born = {individual.fingerprint: individual.block for individual in store.individuals(run.id)}
    waiting = set(born) - {record.fingerprint for record in store.evaluations(run.id)}
    *_, last = search(store, run, Elitist(reviewed=False), depth).events(evaluations=1)
    assert last.unscored == sum(born[fingerprint] > depth for fingerprint in waiting) > 0
    assert finish(search(store, run, Elitist(reviewed=False), depth)).unscored == 0
