"""Architectures as text."""

import json

import pytest

from germline.programs.architecture.genome import Cell, InvalidArchitecture, loose_ends, read, write

PAIR = ["sep_conv_3x3", 1]
TWO = {"normal": [PAIR, PAIR], "normal_concat": [2], "reduce": [PAIR, ["skip_connect", 0]], "reduce_concat": [2]}
ONE = {"cell": [["none", 0], ["nor_conv_1x1", 0], ["skip_connect", 1]]}


def test_the_convention_of_darts_is_read_and_written() -> None:
    found = read(json.dumps(TWO))
    assert found.cells[0] == Cell(((("sep_conv_3x3", 1), ("sep_conv_3x3", 1)),), (2,))
    assert json.loads(write(found)) == TWO
    assert read(write(found)) == found


def test_a_cell_in_which_all_nodes_are_joined() -> None:
    found = read(json.dumps(ONE))
    assert [len(node) for node in found.cells[0].nodes] == [1, 2]
    assert found.cells[0].concat == (2,)
    assert json.loads(write(found)) == ONE


def test_loose_ends_are_what_no_node_takes() -> None:
    nodes = ((("skip_connect", 0), ("skip_connect", 1)), (("skip_connect", 2), ("skip_connect", 0)))
    assert loose_ends(nodes, 2) == (3,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected JSON"),
        ("[" * 5000, "expected JSON"),
        ("[]", "expected an object with cells, got list"),
        ('{"normal": []}', "expected cell or normal, normal_concat, reduce, reduce_concat, got normal"),
        (json.dumps({**TWO, "normal": [PAIR]}), "normal: expected an even number of pairs"),
        (json.dumps({**TWO, "normal": PAIR}), r"normal\[0\]: expected a pair"),
        (json.dumps({**TWO, "normal": []}), "normal: expected a list"),
        (json.dumps({**TWO, "normal": [PAIR] * 18}), "at most 8 nodes, got 18 pairs"),
        (json.dumps({**TWO, "normal": [PAIR, ["sep_conv_3x4", 1]]}), "did you mean sep_conv_3x3"),
        (
            json.dumps({**TWO, "reduce": [PAIR, ["sep_conv_3x3", 2]]}),
            r"reduce\[1\]: expected an input from 0 to 1, got 2",
        ),
        (json.dumps({**TWO, "reduce": [PAIR, ["sep_conv_3x3", True]]}), r"reduce\[1\]: expected a pair"),
        (json.dumps({**TWO, "reduce": [PAIR, ["sep_conv_3x3", -1]]}), "from 0 to 1, got -1"),
        (json.dumps({**TWO, "reduce_concat": [1]}), "reduce_concat: expected different nodes from 2 to 2"),
        (json.dumps({**TWO, "reduce_concat": []}), "reduce_concat: expected different nodes"),
        (json.dumps({**TWO, "reduce_concat": [2, 2]}), "reduce_concat: expected different nodes"),
        (
            json.dumps({"cell": [["none", 0], ["none", 1], ["none", 0]]}),
            "expected node 2 to take nodes 0 to 1 in order",
        ),
        (json.dumps({"cell": [["none", 0], ["none", 0]]}), "expected 1, 3, 6, 10, … pairs"),
        (" " * 100_000, "expected at most 65536 characters"),
    ],
)
def test_what_is_no_architecture_is_told_in_a_line(text: str, message: str) -> None:
    with pytest.raises(InvalidArchitecture, match=message) as refused:
        read(text)
    assert "\n" not in str(refused.value)
