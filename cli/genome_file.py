"""Reads genomes from files and stdin, recognises their kind, and tells paths from other references."""

import codecs
import re
import sys
from difflib import get_close_matches
from pathlib import Path

import click

from germline.cli.errors import BadReference
from germline.cli.printing import say
from germline.evaluators.data.directory import exists
from germline.programs.architecture.genome import InvalidArchitecture, write
from germline.programs.architecture.notation import from_published, is_published

LARGEST = 10_000_000
"""Largest genome file, in bytes."""

STDIN = "-"
"""The reference that stands for a genome on stdin."""

_NETWORK = re.compile(r'"network"\s*:')
_EXTENSION = re.compile(r"[\w~-]\.[A-Za-z]\w{0,8}~?$")


def kind_of(text: str, json: bool = False) -> str:
    """The kind of a genome, from its text, which need not be valid.

    JSON with a network is a policy, other JSON an architecture, anything else an optimizer program.

    Args:
        text: the genome.
        json: True for a text that is meant to be JSON even if it does not begin with a brace.
    """
    if not (json or text.lstrip().startswith("{")):
        return "optimizer"
    return "policy" if _NETWORK.search(text) else "architecture"


def read_genome(path: Path) -> str:
    """The text of a genome file of at most 10 MB.

    Raises:
        BadReference: the file cannot be read, is empty, or is no text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise no_such_file(str(path), str(error.strerror)) from None
    except OSError as error:
        raise BadReference(
            f"expected a file with a genome, got {path}, which cannot be read ({error.strerror})"
        ) from None
    return _as_text(data, str(path), "write a program or a JSON genome into it")


def read_stdin() -> str:
    """The text of the genome on stdin, of at most 10 MB. Says on stderr that it waits if stdin is a terminal.

    Raises:
        BadReference: stdin is closed, cannot be read, is empty, or is no text, or the command has read it before.
    """
    context = click.get_current_context(silent=True)
    if context is not None and context.meta.setdefault(STDIN, False):
        raise BadReference("expected - once, got it twice: stdin can be read only once; write the genome into a file")
    if context is not None:
        context.meta[STDIN] = True
    data = b""
    if sys.stdin is not None:  # None: closed
        if sys.stdin.isatty():
            say("reading a genome from the terminal; Ctrl-D on a new line ends it", err=True)
        try:
            data = sys.stdin.buffer.read(LARGEST + 1)
        except OSError as error:
            raise BadReference(f"expected a genome on stdin, which cannot be read ({error.strerror})") from None
    return _as_text(data, "stdin", "write - < FILE, or pipe a program in")


def no_such_file(name: str, reason: str) -> BadReference:
    """The error for a file that does not exist; it suggests a file of a similar name in the same folder."""
    path = Path(name)
    try:
        others = [other.name for other in path.parent.iterdir() if other.is_file()]
    except OSError:
        others = []
    near = get_close_matches(path.name, others, n=1, cutoff=0.8)
    advice = f"did you mean {path.parent / near[0]}?" if near else "name another, or write - to read stdin"
    return BadReference(f"expected a file with a genome, got {name:.200}: {reason}; {advice}")


def _as_text(data: bytes, name: str, advice: str) -> str:
    """The text that bytes encode.

    Raises:
        BadReference: the bytes are too many, no text, or blank.
    """
    if len(data) > LARGEST:
        raise BadReference(f"expected a genome of at most 10 MB, got more: {name}")
    try:
        text = data.decode(_encoding(data))
    except UnicodeDecodeError:
        raise BadReference(f"expected text, got bytes that are not UTF-8: {name}") from None
    if not text.strip():
        raise BadReference(f"expected a genome, got nothing: {name} is empty; {advice}")
    return text


def _encoding(data: bytes) -> str:
    """UTF-8, with or without a byte-order mark, or UTF-16 with one."""
    return "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def as_genome(text: str, name: str) -> str:
    """The genome that a text holds: an architecture in the notation of another project is converted, and any other text
    is returned as it is.

    Args:
        text: of a file, or of the command line.
        name: of the file, for messages.

    Raises:
        BadReference: the text is in such a notation, but is not valid.
    """
    if not is_published(text):
        return text
    try:
        return write(from_published(text))
    except InvalidArchitecture as error:
        raise BadReference(f"{name} is not a valid genome: {error}") from None


def names_file(reference: str) -> bool:
    """Whether a reference is always read as the path of a file, whether or not the file exists."""
    return "/" in reference or reference.endswith((".py", ".txt", ".json"))


def looks_like_file(reference: str) -> bool:
    """Whether a reference that names nothing was probably meant as a file: a path, or a name with an extension. Names
    of runs may have one as well."""
    return names_file(reference) or _EXTENSION.search(reference) is not None


def is_file_reference(reference: str) -> bool:
    """Whether a reference names a file: it is always read as a path, or such a file exists."""
    if names_file(reference):
        return True
    return exists(Path(reference), Path.is_file)
