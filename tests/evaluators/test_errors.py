"""Texts of foreign errors and values: on one line, printable, short, and without an error of their own."""

import pytest

from germline.evaluators.errors import MOST_CHARACTERS, in_a_line, one_line, shown
from germline.evaluators.memory import out_of_memory


class Raises(RuntimeError):
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __str__(self) -> str:
        raise self.error

    __repr__ = __str__


class Number(RuntimeError):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]

    __repr__ = __str__


class Text(str):
    def splitlines(self, keepends: bool = False) -> list[str]:
        raise RuntimeError("splitlines of its own")

    def __getitem__(self, index: object) -> str:
        raise RuntimeError("slices of its own")


class OfSubclass(RuntimeError):
    def __str__(self) -> str:
        return Text("a text")


class Meta(type):
    @property
    def __name__(cls) -> str:
        raise RuntimeError("a class without a name")


class Nameless(RuntimeError, metaclass=Meta):
    pass


@pytest.mark.parametrize("inner", [ValueError("x"), SystemExit(3), KeyboardInterrupt(), MemoryError()])
def test_an_error_whose_text_raises_is_told_by_its_class(inner: BaseException) -> None:
    assert in_a_line(Raises(inner)) == "Raises: (its message cannot be read)"
    assert shown(Raises(inner)) == "<Raises that cannot be shown>"
    assert not out_of_memory(Raises(inner))


def test_an_error_whose_text_is_no_text() -> None:
    assert in_a_line(Number()) == "Number: (its message cannot be read)"
    assert in_a_line(OfSubclass()) == "OfSubclass: a text"
    assert in_a_line(Nameless("x")) == "Nameless: x"


def test_a_text_of_megabytes_is_cut() -> None:
    line = in_a_line(RuntimeError("x" * 10_000_000))
    assert len(line) == len("RuntimeError: ") + MOST_CHARACTERS and line.endswith("x…")
    assert in_a_line(RuntimeError("\n" * 10_000_000)) == "RuntimeError"
    assert len(shown("x" * 10_000_000)) == 60


def test_nothing_that_drives_a_terminal_is_left() -> None:
    hostile = "\x1b]0;title\x07\x1b[31mred\x00 \ud800 \u202e \x9b31m\ttab"
    line = in_a_line(type("\x1b[31mBad", (RuntimeError,), {})(hostile))
    assert line.isprintable() and line.startswith("\ufffd[31mBad: \ufffd]0;title\ufffd") and line.endswith("31m tab")
    line.encode()


def test_the_first_line_that_is_not_blank_is_taken() -> None:
    assert in_a_line(ValueError("\n  \n  first\nsecond")) == "ValueError: first"
    assert in_a_line(ValueError()) == "ValueError"
    assert one_line("a\x85b\u2028c") == "a"
