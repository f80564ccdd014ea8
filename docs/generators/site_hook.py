"""What `make docs` does before mkdocs sees a page: pages from outside of `docs/`, links, and parts from the code.

A page keeps the links that lead somewhere in the repository. `README.md`, `CONTRIBUTING.md`, `CHANGELOG.md` and
`evaluators/data/DATA.md` become pages of the site too, so links to them, and from them, are written anew. A line
`<!-- from the code: NAME -->` is replaced by what a function of `PARTS` writes.
"""

import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from command_reference import commands
from database_reference import database
from language_reference import functions, library, state_shapes
from mkdocs.structure.files import File, Files
from setting_reference import settings
from task_reference import tasks

ROOT = Path(__file__).parents[2]
OUTER_PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "evaluators/data/DATA.md": "data.md",
}
"""Pages outside of `docs/`, by their path in the repository, and what they are called on the site."""
PARTS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "settings": settings,
    "tasks": tasks,
    "functions": functions,
    "library": library,
    "state shapes": state_shapes,
    "database": database,
}
"""What the line `<!-- from the code: NAME -->` of a page stands for."""
_LINK = re.compile(r"(\]\()(?!https?:|#)([^)#\s]+)")
_CODE_OF_TABLE = re.compile(r"(?<=[ |(])`[^`\n]*`")
_INLINE_CODE = re.compile(r"<code>([^<]*)</code>")
_OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
_MARKER = re.compile(r"^<!-- from the code: (.+?) -->$", re.MULTILINE)


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages from outside of `docs/`."""
    for path, name in OUTER_PAGES.items():
        files.append(File.generated(config, name, content=site_text(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Rewrites links of a page in `docs/` that lead out of it, and fills in its parts from the code."""
    if page.file.src_uri == "index.md":
        page.meta["hide"] = ["navigation"]
    if page.file.src_uri in OUTER_PAGES.values():
        return markdown
    return with_plain_bars(with_parts(with_site_links(markdown, "docs")))


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Keeps options such as `--set` on one line: a browser would break behind each of their hyphens."""

    def whole(match: re.Match[str]) -> str:
        return "<code>" + _OPTION.sub(r'<span class="whole">\g<0></span>', match[1]) + "</code>"

    return _INLINE_CODE.sub(whole, html)


def site_text(path: str) -> str:
    """The text of a page outside of `docs/`, with links as the site has them."""
    return with_site_links((ROOT / path).read_text(encoding="utf-8"), posixpath.dirname(path))


def with_site_links(text: str, folder: str) -> str:
    """A text of a page in `folder` of the repository, with its links relative to the root of the site."""

    def rewritten(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, match[2]))
        if target in OUTER_PAGES:
            return match[1] + OUTER_PAGES[target]
        return match[1] + target.removeprefix("docs/")

    return _LINK.sub(rewritten, text)


def with_plain_bars(text: str) -> str:
    """The text without the backslash before a bar in code of a table, which GitHub needs and the site would show."""
    lines = text.split("\n")
    plain = (_CODE_OF_TABLE.sub(lambda match: match[0].replace("\\|", "|"), line) for line in lines)
    return "\n".join(new if line.startswith("|") else line for line, new in zip(lines, plain, strict=True))


def with_parts(text: str) -> str:
    """The text with each marker replaced by its part.

    Raises:
        KeyError: a marker names no part.
    """
    return _MARKER.sub(lambda match: PARTS[match[1]](), text)
