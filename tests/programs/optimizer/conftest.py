"""Fixtures of the tests of the language: a stream of mutants of the library."""

import os
from collections.abc import Callable, Iterator

import pytest
import torch
from mutants import mutants as mutants_of_the_library

from germline.programs.optimizer import Program

Stream = Callable[..., Iterator[Program]]

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def scale() -> int:
    """Factor of the number of random cases.

    `GERMLINE_SCALE=85 pytest tests/programs/optimizer -k "mutant or equal_fingerprints" --timeout 0 -s` breeds 425,000
    mutants and compares 100,000 pairs with equal fingerprints.
    """
    return int(os.environ.get("GERMLINE_SCALE", "1"))


@pytest.fixture(scope="session")
def mutants() -> Stream:
    """`helpers.mutants.mutants`."""
    return mutants_of_the_library
