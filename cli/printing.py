"""Text on its way to a terminal or a pipe.

All text of commands passes through `say`, `on_a_line` or the console of `germline.cli.output`, so that nothing that was
read from a database, a file or a task can drive the terminal or fill it. A test holds that no other file prints.
"""

import shlex

import click

LONGEST = 2_000
"""The most characters of a line; a longer line is cut and ends in …. JSON is never cut."""


def printable(text: str) -> str:
    """`text` with � for what no terminal should get: control characters, escapes, marks that turn the direction of
    reading, and lone surrogates. Line ends and tabs stay."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)


def on_a_line(text: str, most: int = LONGEST) -> str:
    """`text` as a single printable line of at most `most` characters, with blanks for line ends and tabs."""
    short = text if len(text) <= most else f"{text[: most - 1]}…"
    return printable(short.replace("\n", " ").replace("\t", " "))


def command_line(*words: str) -> str:
    """A command of ours to suggest, `germline show 'a name'`, quoted for a shell: a name may come from anywhere."""
    return shlex.join(("germline", *words))


def say(text: str, err: bool = False) -> None:
    """Prints lines of text on stdout, or on stderr if `err`."""
    click.echo("\n".join(map(on_a_line, text.split("\n"))), err=err)
