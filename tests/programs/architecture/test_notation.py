"""Genotypes and cell strings: read as published, written so that they read back, and never executed."""

import numpy as np
import pytest

from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.genome import InvalidArchitecture, read
from germline.programs.architecture.notation import cell_string, from_published, genotype, is_published
from germline.programs.architecture.space import ArchitectureSpace

DARTS_V2 = """
DARTS_V2 = Genotype(
    normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 1),
            ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5],
    reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0),
            ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=range(2, 6))
"""
AMOEBA_NET = (
    "Genotype(normal=[('avg_pool_3x3', 0), ('max_pool_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_5x5', 2), "
    "('sep_conv_3x3', 0), ('avg_pool_3x3', 3), ('sep_conv_3x3', 1), ('skip_connect', 1), ('skip_connect', 0), "
    "('avg_pool_3x3', 1)], normal_concat=[4, 5, 6], reduce=[('avg_pool_3x3', 0), ('sep_conv_3x3', 1), "
    "('max_pool_3x3', 0), ('sep_conv_7x7', 2), ('sep_conv_7x7', 0), ('avg_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('conv_7x1_1x7', 0), ('sep_conv_3x3', 5)], reduce_concat=[3, 4, 6])"
)
CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
PAIR = "normal=[('skip_connect', 0), ('skip_connect', 1)], normal_concat={}, reduce={}, reduce_concat=[2]"


def test_a_genotype_is_read() -> None:
    architecture = from_published(DARTS_V2)
    assert architecture == from_published(DARTS_V2.strip().removeprefix("DARTS_V2 = "))
    assert [cell.concat for cell in architecture.cells] == [(2, 3, 4, 5)] * 2
    assert architecture.cells[0].nodes[3] == (("skip_connect", 0), ("dil_conv_3x3", 2))


def test_a_published_cell_with_factorized_convolutions_is_read() -> None:
    assert from_published(AMOEBA_NET).cells[1].nodes[4] == (("conv_7x1_1x7", 0), ("sep_conv_3x3", 5))


def test_a_cell_string_is_read_and_written() -> None:
    assert cell_string(from_published(CELL)) == CELL
    assert from_published(f"  {CELL}\n") == from_published(CELL)


@pytest.mark.parametrize("name", SPACES)
def test_architectures_of_every_space_read_back(name: str) -> None:
    space, rng = ArchitectureSpace(SPACES[name], SPACES[name].skeleton), np.random.default_rng(1)
    written, refused = (genotype, cell_string) if SPACES[name].inputs == 2 else (cell_string, genotype)
    for _ in range(20):
        architecture = space.draw(rng).genome
        text = written(architecture)
        assert is_published(text) and from_published(text) == architecture
        with pytest.raises(InvalidArchitecture, match="expected a"):
            refused(architecture)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Genotype(", "a text that is not Python"),
        ("Genotype(\0)", "a text that is not Python"),
        ("Genotype(" + "(" * 5000, "a text that is not Python"),
        ("Genotype(" + "-" * 60_000 + "1)", "expected"),
        ("Genotype(normal=[])", "expected cell or normal, normal_concat, reduce, reduce_concat, got normal"),
        ("Genotype([], [])", "arguments with names"),
        ("Genotype(**{})", "arguments with names"),
        ("a = Genotype()\nb = Genotype()", "expected one genotype, got 2"),
        (f"Genotype({PAIR.format('range(10**9)', '[]')})", "normal_concat"),
        (f"Genotype({PAIR.format('range(0, 99, 0)', '[]')})", "normal_concat"),
        (f"Genotype({PAIR.format('[2]', '__import__(chr(111)).system()')})", "reduce: expected a list"),
        (f"Genotype({PAIR.format('[2]', '[(1, 2, 3), (4, 5)]')})", "reduce"),
        (f"Genotype({PAIR.format('[2]', '[(open, 0), (open, 1)]')})", "reduce: expected a list"),
        ("|nor_conv_3x3|", "expected an edge such as nor_conv_3x3~0"),
        ("|nor_conv_3x3~0", "expected nodes such as"),
        ("|nor_conv_3x4~0|", "did you mean nor_conv_3x3"),
        ("|none~0|+|none~1|none~0|", "expected node 2 to take nodes 0 to 1 in order"),
        ("|" * 70_000, "at most 65536 characters"),
    ],
)
def test_what_is_no_architecture_is_told(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitecture) as error:
        from_published(text)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_genome_is_not_in_a_published_notation() -> None:
    assert not is_published('{"cell": [["none", 0]]}')
    assert read('{"cell": [["none", 0]]}') == from_published("|none~0|")
