"""Spaces of architectures: what they draw, and that limits hold."""

import numpy as np
import pytest

from germline.programs.architecture.cells import FULL, SPACES
from germline.programs.architecture.counts import count
from germline.programs.architecture.genome import InvalidArchitecture
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace, Limits


@pytest.mark.parametrize("name", SPACES)
def test_what_is_drawn_varied_and_crossed_is_of_the_space(name: str) -> None:
    space = ArchitectureSpace(SPACES[name], SPACES[name].skeleton)
    rng = np.random.default_rng(0)
    before = space.draw(rng).genome
    for _ in range(100):
        genome = space.draw(rng).genome
        child = space.cross(genome, before, rng).genome
        for operator in space.operators:
            changed = space.vary(genome, operator, rng).genome
            assert space.check(changed) is None
            assert sum(a != b for a, b in zip(edges(changed), edges(genome), strict=True)) <= 1
        assert space.check(genome) is None and space.check(child) is None
        assert all(edge in pair for edge, *pair in zip(edges(child), edges(genome), edges(before), strict=True))
        assert space.read(space.write(genome)) == genome
        before = genome


def edges(genome: object) -> list[tuple[str, int]]:
    return [edge for cell in genome.cells for edge in cell.edges]  # type: ignore[attr-defined]


def test_neighbours_differ_in_one_choice() -> None:
    space = ArchitectureSpace(SPACES["nb201"], SPACES["nb201"].skeleton)
    genome = space.draw(np.random.default_rng(0)).genome
    found = space.neighbours(genome)
    assert len(set(found)) == 24
    assert all(sum(a != b for a, b in zip(edges(one), edges(genome), strict=True)) == 1 for one in found)


@pytest.mark.slow
@pytest.mark.parametrize("limits", [Limits(params=3_000_000), Limits(macs=400_000_000), Limits(2_000_000, 300_000_000)])
def test_limits_hold_for_all_that_is_born(limits: Limits) -> None:
    space = ArchitectureSpace(SPACES["eeea"], FULL, limits)
    rng = np.random.default_rng(0)
    rejected = 0
    for _ in range(60):
        one, other = space.draw(rng), space.draw(rng)
        children = (space.vary(one.genome, "mutate", rng), space.cross(one.genome, other.genome, rng))
        for new in (one, *children):
            assert limits.broken(count(new.genome, FULL)) is None
        rejected += sum(new.rejected for new in (one, other, *children))
    assert rejected > 0


def test_a_limit_that_hardly_anything_keeps_is_kept_by_repair() -> None:
    space = ArchitectureSpace(SPACES["eeea"], FULL)
    tight = count(space.fallback, FULL).params + 60_000
    narrow = ArchitectureSpace(SPACES["eeea"], FULL, Limits(params=tight))
    found = [narrow.draw(np.random.default_rng(seed)).genome for seed in range(5)]
    assert all(count(genome, FULL).params <= tight for genome in found)
    assert len(set(map(narrow.fingerprint, found))) > 1


def test_an_impossible_limit_is_refused_at_once_with_the_smallest_size() -> None:
    least = count(SPACES["eeea"].smallest(), FULL)
    with pytest.raises(InvalidArchitecture, match=f"got {least.params:,} for the smallest"):
        ArchitectureSpace(SPACES["eeea"], FULL, Limits(params=least.params - 1))
    ArchitectureSpace(SPACES["eeea"], FULL, Limits(params=least.params))


def test_a_limit_for_the_first_generation_alone() -> None:
    limits = Limits(params=2_500_000, children=False)
    space = ArchitectureSpace(SPACES["eeea"], FULL, limits)
    rng = np.random.default_rng(0)
    drawn = [space.draw(rng).genome for _ in range(30)]
    assert all(limits.broken(count(genome, FULL)) is None for genome in drawn)
    assert any(limits.broken(count(space.vary(genome, "mutate", rng).genome, FULL)) for genome in drawn)
    assert any(limits.broken(count(one, FULL)) for genome in drawn[:5] for one in space.neighbours(genome))


def test_how_often_the_early_exit_rejects() -> None:
    """In the space of EEEA-Net's published cells: 82 % at 3 million parameters, 20 % at 4, 0.3 % at 5."""
    space = ArchitectureSpace(SPACES["eeea-exclusive"], FULL)
    rng = np.random.default_rng(0)
    params = np.array([count(space.draw(rng).genome, FULL).params for _ in range(2000)])
    for limit, share in ((3e6, 0.82), (4e6, 0.20), (5e6, 0.003)):
        assert abs((params > limit).mean() - share) < 0.03


def test_what_is_not_of_the_space_is_told() -> None:
    space = ArchitectureSpace(SPACES["darts"], Skeleton())
    other = ArchitectureSpace(SPACES["eeea"], Skeleton()).draw(np.random.default_rng(0)).genome
    assert space.check(other) == "expected 2 cells of 4 nodes each"
