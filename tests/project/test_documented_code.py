"""Every code block of the documentation runs, or says why it does not and is checked as far as it can be."""

import importlib
import re
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from documentation_blocks import LANGUAGES, PAGES, REASON, ROOT, Block, blocks, outside_of_blocks
from small_budgets import smaller

from germline.cli.main import cli
from germline.programs.optimizer import parse

TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
RUN = [name for name, text in TEXTS.items() if any(b.language != "text" and not b.reason for b in blocks(text))]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
VERBATIM = {"describe"}
"""Commands whose output follows from their arguments alone: a page shows it word for word."""
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", TEXTS)
def test_every_block_is_fenced_and_names_its_language(page: str) -> None:
    text = TEXTS[page]
    assert {block.language for block in blocks(text)} <= LANGUAGES
    assert text.count("\n```") % 2 == 0
    assert re.findall(r"^(?:(?!\s*[-*\d]).*)?\n\n {4}\S.*$", outside_of_blocks(text), re.MULTILINE) == []


@pytest.mark.parametrize("page", TEXTS)
def test_every_command_that_is_not_run_has_a_reason_and_options_that_exist(page: str) -> None:
    unrun = [block for block in blocks(TEXTS[page]) if block.reason]
    assert [block.line for block in unrun if len(block.reason) <= len(REASON)] == []
    for block in unrun:
        for words in block.commands:
            check_words(words)


def check_words(words: list[str]) -> None:
    """Checks a command without running it: that its options, its target or its file exist."""
    while words and ("=" in words[0] or words[0] in ("nice", "-n", "10", "export")):
        words = words[1:]
    if not words:
        return
    if words[0] == "germline" and words[1] not in ("--version", "|"):
        check_options(words[1:])
    elif words[0] == "make":
        assert words[1] in TARGETS, words
    elif words[0] == "pip":
        named = re.findall(r"germline\[([\w,]+)\]", " ".join(words))
        assert {extra for names in named for extra in names.split(",")} <= set(EXTRAS), words
    elif words[0].startswith("python"):
        assert (ROOT / words[1]).exists(), words


def check_options(words: list[str]) -> None:
    """Checks that `germline` accepts the options of a command; click raises an error if not."""
    command: click.Command = cli
    context = click.Context(cli, info_name="germline")
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, words
        command, words = found, words[1:]
    with command.make_context(command.name, list(words), parent=context):
        pass


@pytest.mark.parametrize("page", TEXTS)
def test_every_optimizer_program_on_a_page_is_one(page: str) -> None:
    for block in blocks(TEXTS[page]):
        if block.language == "python" and is_program(block):
            parse(block.text)


def is_program(block: Block) -> bool:
    return block.text.startswith("def train(")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", RUN)
def test_every_block_of_a_page_runs_after_those_before_it(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("GERMLINE_DB", raising=False)
    importlib.invalidate_caches()
    modules = set(sys.modules)
    names: dict[str, object] = {"__name__": "page"}
    try:
        for block in blocks(TEXTS[page]):
            if block.reason:
                continue
            for words in block.commands:
                output = run_command(words, f"{page}:{block.line}")
                if words[1] in VERBATIM and block.language == "console":
                    assert block.text.split("\n", 1)[1].split() == output.split()
            if block.file:
                Path(block.file).write_text(block.text, encoding="utf-8")
            elif block.language == "python" and not is_program(block):
                importlib.invalidate_caches()
                exec(compile(block.text, f"{page}:{block.line}", "exec"), names)  # noqa: S102 - our own pages
    finally:
        for name in set(sys.modules) - modules:
            if (path := getattr(sys.modules[name], "__file__", None)) and Path(path).is_relative_to(tmp_path):
                del sys.modules[name]


def run_command(words: list[str], place: str) -> str:
    """Runs a command of a block in this process, on a small budget, and returns what it prints."""
    assert words[0] == "germline", f"{place}: {words} needs a reason why it is not run"
    small = smaller(words[1:])
    result = CliRunner().invoke(cli, small)
    assert result.exit_code == 0, f"{place}: germline {' '.join(small)}\n{result.output}"
    return result.stdout
