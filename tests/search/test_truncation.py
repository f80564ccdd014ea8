"""The Deep GA as a fold over generations whose outcomes the test makes up."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from germline.evaluators.outcome import Outcome
from germline.programs.policy.network import Network
from germline.programs.policy.space import PolicySpace
from germline.search.individual import Block, Individual, Proposal, Reviewed, Scored
from germline.search.loop import rng_for
from germline.search.policy_rungs import REVIEW, TEST
from germline.search.strategies.truncation import Sigma, Truncation, TruncationState

SPACE = PolicySpace(Network("mlp", (2,), 2, (3,)), 0.05)


def truncation(parents: int = 3, candidates: int = 0, sigma: Sigma = Sigma(0.1), **options: Any) -> Truncation:  # noqa: B008
    return Truncation(SPACE, 6, parents, sigma, candidates, **options)


def roll(birth: int) -> np.random.Generator:
    return rng_for(5, birth)


def bred(strategy: Truncation, state: TruncationState, births: Sequence[int]) -> list[Proposal]:
    return [strategy.breed(state, birth, roll) for birth in births]


def born(birth: int, fitness: float | None, fingerprint: str = "") -> Scored:
    text = SPACE.write(SPACE.draw(roll(birth)).genome)
    outcome = Outcome("diverged") if fitness is None else Outcome("ok", fitness)
    return Scored(Individual(birth, 0, (), "random", text, fingerprint or f"f{birth}"), outcome)


def generation(first: int, *fitness: float | None) -> Block:
    return Block(births=tuple(born(first + number, worth) for number, worth in enumerate(fitness)))


def answered(strategy: Truncation, state: TruncationState, worth: dict[int, float | None]) -> TruncationState:
    """After reviews, with a mean return by birth."""
    answers = []
    for review in strategy.reviews(state):
        mean = worth[review.individual.birth]
        answers.append(Reviewed(review, Outcome("crashed") if mean is None else Outcome("ok", mean)))
    return strategy.advance(state, Block(reviews=tuple(answers)))


def numbers(individuals: Sequence[Individual]) -> list[int]:
    return [individual.birth for individual in individuals]


def test_the_first_generation_is_drawn_and_each_later_birth_mutates_one_of_the_best() -> None:
    strategy = truncation(parents=3)
    state = strategy.init()
    assert {child.operator for child in bred(strategy, state, range(6))} == {"random"}
    state = strategy.advance(state, generation(0, 1.0, 5.0, None, 3.0, 5.0, 2.0))
    assert numbers(state.parents) == [1, 4, 3]
    children = bred(strategy, state, range(6, 306))
    counts = Counter(child.parents for child in children)
    assert set(counts) == {(1,), (4,), (3,)} and min(counts.values()) > 70
    for child in children[:9]:
        (parent,) = (parent for parent in state.parents if (parent.birth,) == child.parents)
        assert child.genome.parent == SPACE.read(parent.genome)
    assert len({SPACE.write(child.genome) for child in children}) == 300


def test_without_parents_everything_is_drawn() -> None:
    strategy = truncation(parents=0)
    state = strategy.advance(strategy.init(), generation(0, 1.0, 2.0, 3.0))
    assert {(child.operator, child.parents) for child in bred(strategy, state, range(6, 12))} == {("random", ())}
    assert strategy.winner(state) == born(2, None).individual


def test_sigma_falls_by_generation_down_to_the_least() -> None:
    strategy = truncation(sigma=Sigma(0.1, decay=0.5, least=0.02))
    state = strategy.advance(strategy.init(), generation(0, 1.0))
    sigmas = [child.genome.mutations[-1][1] for child in bred(strategy, state, [6, 11, 12, 18, 24, 600])]
    assert sigmas == [0.05, 0.05, 0.025, 0.02, 0.02, 0.02]


def test_a_generation_that_fails_leaves_the_elite_as_the_only_parent() -> None:
    strategy = truncation()
    state = strategy.advance(strategy.init(), generation(0, None, None))
    assert strategy.winner(state) is None and not state.parents
    state = strategy.advance(state, generation(6, 1.0, 2.0, None))
    assert numbers(state.parents) == [7, 6]
    state = strategy.advance(state, generation(12, None, None))
    assert numbers(state.parents) == [7]


def test_the_best_are_reviewed_with_the_old_elite_among_them_and_the_best_mean_is_the_elite() -> None:
    strategy = truncation(parents=2, candidates=3)
    state = strategy.advance(strategy.init(), generation(0, 9.0, 8.0, 7.0, 6.0))
    assert [(review.individual.birth, review.rung, review.seed) for review in strategy.reviews(state)] == [
        (0, REVIEW, 1), (1, REVIEW, 1), (2, REVIEW, 1)
    ]  # fmt: skip
    state = answered(strategy, state, {0: 1.0, 1: None, 2: 4.0})
    assert not strategy.reviews(state)
    assert strategy.winner(state) == state.elite and numbers(state.parents) == [2, 0]
    state = strategy.advance(state, generation(6, 1.0, 20.0, 3.0))
    assert [(review.individual.birth, review.seed) for review in strategy.reviews(state)] == [(2, 2), (7, 2), (8, 2)]
    state = answered(strategy, state, {2: 3.0, 7: 2.0, 8: 3.0})
    assert state.elite and state.elite.birth == 2 and state.mean == 3.0
    assert numbers(state.parents) == [2, 7]


def test_an_elite_stays_when_all_reviews_fail() -> None:
    strategy = truncation(candidates=2)
    state = answered(strategy, strategy.advance(strategy.init(), generation(0, 1.0, 2.0)), {0: 5.0, 1: 4.0})
    state = answered(strategy, strategy.advance(state, generation(6, 7.0)), {0: None, 6: None})
    assert state.elite and state.elite.birth == 0
    assert numbers(state.parents) == [0, 6]


def test_without_reviews_the_elite_is_the_fittest_so_far() -> None:
    strategy = truncation(parents=2)
    elites = []
    state = strategy.init()
    for first, fitness in ((0, 1.0), (6, 3.0), (12, 2.0), (18, 3.0)):
        state = strategy.advance(state, generation(first, 0.0, fitness))
        assert not strategy.reviews(state)
        elites.append(state.elite.birth if state.elite else None)
    assert elites == [1, 7, 7, 7]
    assert numbers(state.parents) == [7, 19]


def test_a_genome_that_was_born_twice_is_a_parent_once() -> None:
    twice = Block(births=(born(0, 2.0, "same"), born(1, 2.0, "same"), born(2, 1.0)))
    state = truncation(parents=2).advance(TruncationState(), twice)
    assert numbers(state.parents) == [0, 2]


def test_what_is_handed_over_is_tested_in_the_end_and_the_test_changes_nothing() -> None:
    strategy = truncation()
    state = strategy.advance(strategy.init(), generation(0, 1.0, 2.0))
    (asked,) = strategy.closing(state)
    assert (asked.individual.birth, asked.rung) == (1, TEST)
    assert strategy.advance(state, Block(reviews=(Reviewed(asked, Outcome("ok", -9.0)),))) == state
    assert not truncation(tested=False).closing(state)


def test_one_candidate_is_enough_to_replace_the_elite() -> None:
    strategy = truncation(candidates=1)
    state = answered(strategy, strategy.advance(strategy.init(), generation(0, 1.0, 9.0)), {1: 3.0})
    assert numbers([state.elite] if state.elite else []) == [1]
    state = answered(strategy, strategy.advance(state, generation(6, 4.0, 2.0)), {1: 3.0, 6: 5.0})
    assert numbers([state.elite] if state.elite else []) == [6]


def test_sigma_never_becomes_0() -> None:
    assert Sigma(0.1, 0.5).at(10_000) == 1e-7
    assert Sigma(0.1, 0.5, 0.02).at(10_000) == 0.02


def test_the_last_test_bears_the_number_of_the_generation_that_was_reviewed_last() -> None:
    strategy = truncation(candidates=2)
    state = answered(strategy, strategy.advance(strategy.init(), generation(0, 1.0, 9.0)), {1: 3.0, 0: 4.0})
    cut = strategy.advance(state, generation(6, 4.0))
    assert [(review.rung, review.seed, review.individual.birth) for review in strategy.closing(cut)] == [(TEST, 1, 0)]


def test_a_search_that_ends_in_its_first_generation_reviews_its_winner() -> None:
    strategy = truncation(candidates=2)
    cut = strategy.advance(strategy.init(), generation(0, 1.0, 9.0, 5.0))
    asked = strategy.closing(cut)
    assert [(review.rung, review.seed, review.individual.birth) for review in asked] == [(REVIEW, 0, 1), (REVIEW, 0, 2)]
    answers = tuple(Reviewed(review, Outcome("ok", float(review.individual.birth))) for review in asked)
    best = strategy.winner(strategy.advance(cut, Block(reviews=answers)))
    assert best is not None and best.birth == 2
