"""The text of a program: what is read, what is refused, and that nothing is lost on the way."""

import keyword
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from germline.programs.optimizer import InvalidProgram, Program, Statement, library, parse, write
from germline.programs.optimizer.primitives import PRIMITIVES, WHITENING
from germline.programs.optimizer.program import State
from germline.programs.optimizer.text import MAX_STATEMENTS
from germline.programs.optimizer.types import STATE_TYPES

HEAD = "def train(w, g, m, v, lr):\n"
TAIL = "  return update, m, v\n"


def body(line: str) -> str:
    return f"{HEAD}  {line}\n{TAIL}"


def read(line: str) -> tuple[Statement, ...]:
    return parse(body(line)).body


names = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=40).filter(
    lambda name: name[0].isalpha() and not keyword.iskeyword(name)
)
arguments = names | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    function = draw(st.sampled_from([*WHITENING, "="]))
    arity = PRIMITIVES[function].arity
    return Statement(draw(names), function, tuple(draw(arguments) for _ in range(arity)))


@st.composite
def programs(draw: st.DrawFn) -> Program:
    reserved = {"w", "g", "lr", "step"}
    states = draw(st.lists(names.filter(lambda name: name not in reserved), max_size=4, unique=True))
    shapes = [draw(st.sampled_from(sorted(set(STATE_TYPES) - {"readout"}))) for _ in states]
    if states and draw(st.booleans()):
        shapes[0] = "readout"
    return Program(
        body=tuple(draw(st.lists(statements(), max_size=8))),
        states=tuple(State(name, shape) for name, shape in zip(states, shapes, strict=True)),
        step=draw(st.booleans()),
        returns=tuple(draw(names) for _ in range(1 + len(states))),
    )


@pytest.mark.slow
@given(programs())
@settings(max_examples=150, deadline=None)
def test_any_program_that_is_written_reads_back_the_same(program: Program) -> None:
    again = parse(write(program))
    assert again == program
    assert repr(again.constants) == repr(program.constants)


@pytest.mark.parametrize("name", library())
def test_the_library_reads_back_the_same(name: str) -> None:
    program = parse(library()[name])
    assert parse(write(program)) == program


def test_nested_operators_become_one_statement_each() -> None:
    assert read("update = t1 * sqrt(w - -0.5) / g") == (
        Statement("t2", "-", ("w", -0.5)),  # t1 is in use
        Statement("t3", "sqrt", ("t2",)),
        Statement("t4", "*", ("t1", "t3")),
        Statement("update", "/", ("t4", "g")),
    )


@pytest.mark.parametrize(
    ("line", "statement"),
    [
        ("update = w", Statement("update", "=", ("w",))),
        ("update = -w", Statement("update", "negative", ("w",))),
        ("update = -2", Statement("update", "=", (-2.0,))),
        ("update = get_pi()", Statement("update", "get_pi", ())),
        ("update = w * 3", Statement("update", "*", ("w", 3.0))),
        ("update = where(w, 1.0, g)", Statement("update", "where", ("w", 1.0, "g"))),
    ],
)
def test_one_operation_is_one_statement(line: str, statement: Statement) -> None:
    assert read(line) == (statement,)


def test_a_docstring_and_comments_are_skipped() -> None:
    text = f'"""Above."""\n# and\n{HEAD}  """Inside."""\n  update = w  # beside\n{TAIL}'
    assert read("update = w") == parse(text).body


def test_the_signature_declares_states_and_step() -> None:
    program = parse("def train(w, g, t: leaf, b: scalar, lr, step):\n  return g, t, b\n")
    assert program.states == (State("t", "leaf"), State("b", "scalar"))
    assert program.step
    assert program.inputs == ("w", "g", "t", "b", "lr", "step")


REFUSED = [
    ("unknown function", body("update = sqr(w)"), "did you mean sqrt?"),
    ("unknown function", body("update = frobnicate(w)"), "'frobnicate'; docs/language.md lists the functions"),
    ("unknown function", body("update = __import__('os')"), "'__import__'"),
    ("unknown function", body("update = eval('1')"), "'eval'"),
    ("arity", body("update = sqrt(w, g)"), "line 2: expected 1 argument for sqrt, got 2"),
    ("arity", body("update = interp(w, g)"), "expected 3 arguments for interp, got 2"),
    ("syntax", body("import os"), "got an import"),
    ("syntax", body("from os import system"), "got an import"),
    ("syntax", "import os\n", "expected one function, got import; write `def train"),
    ("syntax", "", "expected one function, got nothing"),
    ("syntax", HEAD + "  update = w\n" + TAIL + HEAD + "  update = w\n" + TAIL, "expected one function"),
    ("syntax", "def f(w, g, lr):\n  return g\n", "expected a function named train, got 'f'"),
    ("syntax", "@cache\ndef train(w, g, lr):\n  return g\n", "a decorator or a type; remove it"),
    ("syntax", "def train(w, g, lr) -> int:\n  return g\n", "a decorator or a type; remove it"),
    ("syntax", "def train(w, g, *m, lr):\n  return g\n", "got defaults or stars"),
    ("syntax", "def train(w, g, lr=1):\n  return g\n", "got defaults or stars"),
    ("syntax", body("update = w.data"), "got an attribute"),
    ("syntax", body("update = w.__class__"), "got an attribute"),
    ("syntax", body("update = w.mean()"), "got an attribute or an expression"),
    ("syntax", body("w.data = g"), "got several targets"),
    ("syntax", body("update = w[0]"), "got an index"),
    ("syntax", body("for i in w: update = w"), "got a loop"),
    ("syntax", body("while w: update = w"), "got a loop"),
    ("syntax", body("if w: update = w"), "got a branch"),
    ("syntax", body("update = w if g else m"), "got a branch"),
    ("syntax", body("update = lambda: w"), "got a lambda"),
    ("syntax", body("update = w > g"), "use greater(x, y)"),
    ("syntax", body("update = w ** 2"), "got the operator pow"),
    ("syntax", body("update = w @ g"), "got the operator matmult"),
    ("syntax", body("update += w"), "got an augmented assignment; write it out"),
    ("syntax", body("update: int = w"), "got an annotated assignment"),
    ("syntax", body("update, m = w, g"), "expected an assignment such as"),
    ("syntax", body("update = m = w"), "expected an assignment such as"),
    ("syntax", body("sqrt(w)"), "got an expression whose value is lost"),
    ("syntax", body("update = sqrt(x=w)"), "got a keyword or a star"),
    ("syntax", body("update = sqrt(*w)"), "got a keyword or a star"),
    ("syntax", body("return w"), "got an early return"),
    ("syntax", HEAD + "  update = w\n", "expected a return line at the end"),
    ("syntax", body("update = (w"), "line 2: not Python"),
    ("syntax", "\0", "null bytes"),
    ("syntax", body("update = w * \0"), "null bytes"),
    ("syntax", "\ud800", "not Python"),
    ("literal", body("update = w * 1j"), "expected a number, got complex"),
    ("literal", body("update = w * True"), "expected a number, got bool"),
    ("literal", body("update = w * 'a'"), "expected a number, got str"),
    ("literal", body("update = w * 1e999"), "a number that overflows"),
    ("literal", body(f"update = w * 0x{'f' * 40_000}"), "a number that overflows"),
    ("syntax", body(f"update = w * {'9' * 40_000}"), "not Python"),
    ("name", body("__class__ = w"), "'__class__'"),
    ("name", body("update = _w"), "'_w'"),
    ("name", body(f"{'x' * 41} = w"), "at most 40"),
    ("name", body("wé = w"), "letters, digits and _"),
    ("name", "def train(w, g, __m, lr):\n  return g, g\n", "'__m'"),
    ("signature", "def train(w, m, lr):\n  return m\n", "expected the inputs w, g, states, lr"),
    ("signature", "def train():\n  return w\n", "expected the inputs w, g, states, lr"),
    ("signature", "def train(w, g, step, lr):\n  return g, g\n", "expected the inputs w, g, states, lr"),
    ("signature", "def train(w, g, m, m, lr):\n  return g, m, m\n", "got a name twice"),
    ("signature", "def train(w: leaf, g, lr):\n  return g\n", "a shape on states only, got a shape on w"),
    ("signature", "def train(w, g, m: matrix, lr):\n  return g, m\n", "left, right, readout, scalar, got 'matrix'"),
    (
        "signature",
        "def train(w, g, a: readout, b: readout, lr):\n  return g, a, b\n",
        "at most one state of shape readout",
    ),
    ("signature", "def train(w, g, m: f(), lr):\n  return g, m\n", "got 'something else'"),
    ("return", HEAD + "  return g, m\n", "expected 3 names after return, as in `return update, m, v`"),
    ("return", HEAD + "  return g, m, v * 2\n", "expected 3 names after return"),
    ("return", HEAD + "  return\n", "expected 3 names after return"),
    ("too long", "x" * 10_000_000, "expected at most 65536 characters, got 10000000"),
    ("too long", HEAD + "  update = w\n" * (MAX_STATEMENTS + 1) + TAIL, "expected at most 1000 statements"),
    ("syntax", body("update = " + "abs(" * 60 + "w" + ")" * 60), "at most 50 nested operations; split the line"),
]


@pytest.mark.parametrize(("reason", "text", "message"), REFUSED)
def test_a_text_outside_of_the_language_is_refused_with_a_hint(reason: str, text: str, message: str) -> None:
    with pytest.raises(InvalidProgram) as refused:
        parse(text)
    assert refused.value.reason == reason
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


DEEP = [
    "(" * 60_000,
    "update = " + "+".join(["w"] * 30_000),
    "update = " + "-" * 60_000 + "w",
    "update = w" + ".a" * 30_000,
    "update = w" + "[0]" * 20_000,
    "update = w" + "()" * 30_000,
    "update = " + "not " * 15_000 + "w",
    "update = " + "w**" * 20_000 + "w",
    "update = " + "w if w else " * 5_000 + "w",
    "update = " + "lambda: " * 8_000 + "w",
    "update = " + "[" * 10_000 + "]" * 10_000,
    "update = " + "f'{" * 100,
    "@" * 60_000,
    "update = w\n  " * 5_000,
    "\n".join("if w:\n" + " " * depth for depth in range(2, 300)),
]


@pytest.mark.parametrize("line", DEEP, ids=range(len(DEEP)))
def test_a_deep_or_very_long_text_is_refused_in_one_line(line: str) -> None:
    with pytest.raises(InvalidProgram):
        parse(body(line))


@pytest.mark.slow
@given(st.sampled_from(list(library())), st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_texts_are_read_or_refused_without_other_errors(name: str, data: st.DataObject) -> None:
    text = library()[name]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 6))
        text = text[:at] + data.draw(st.text(max_size=6)) + text[at + cut :]
    try:
        program = parse(text)
    except InvalidProgram as refused:
        assert len(str(refused)) < 400
    else:
        assert parse(write(program)) == program
