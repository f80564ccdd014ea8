"""The code blocks of the documentation, and how the suite runs them: a page at a time, in the order of the page.

A block is fenced and names its language: `shell` (commands), `console` (commands after `$ `, and what they print),
`python`, `sql`, or `text`, which is no code. A python block that begins with `# name.txt` is a file of that name; one
that begins with `def train(` is an optimizer program. A block that cannot run here says so in its info string, where
the site shows it: `title="Not run by the tests: needs a GPU"`. A comment `<!-- given: germline … -->` is taken as done.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
LANGUAGES = {"shell", "console", "python", "sql", "text"}
REASON = "Not run by the tests: "
_FENCED = r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$"
_GIVEN = r"^<!-- given: (?P<given>.*?) -->$"
_BLOCK = re.compile(f"{_FENCED}|{_GIVEN}", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]*)"')


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        line: where it begins on its page, counted from 1.
        language: the first word of its info string.
        reason: why it is not run, or an empty text.
        text: its lines.
    """

    line: int
    language: str
    reason: str
    text: str

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command; a command may go on behind a backslash."""
        if self.language not in ("shell", "console"):
            return []
        joined = self.text.replace("\\\n", " ").splitlines()
        lines = [line.removeprefix("$ ") for line in joined if self.language == "shell" or line.startswith("$ ")]
        return [words for words in (shlex.split(line, comments=True) for line in lines) if words]

    @property
    def file(self) -> str | None:
        """The name of the file that a python block is, or None."""
        match = re.match(r"# (\w+\.\w+)\n", self.text)
        return match[1] if match and self.language == "python" else None


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a page, in order. What a page takes as done is a block too."""
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match["given"]:
            yield Block(line, "shell", "", match["given"])
            continue
        language, _, options = match["info"].partition(" ")
        title = _TITLE.search(options)
        reason = title[1] if title and title[1].startswith(REASON) else ""
        yield Block(line, language, reason, match["text"])


def outside_of_blocks(text: str) -> str:
    """A page without its fenced blocks."""
    return _BLOCK.sub("", text)
