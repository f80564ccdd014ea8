"""Reads genome files, recognises the kind of a genome from its text, and tells paths from other references."""

import codecs
import re
from pathlib import Path

from germline.cli.errors import BadReference
from germline.evaluators.data.directory import exists
from germline.programs.architecture.genome import InvalidArchitecture, write
from germline.programs.architecture.notation import from_published, is_published

LARGEST = 10_000_000
"""Largest genome file, in bytes."""

_NETWORK = re.compile(r'"network"\s*:')


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
        BadReference: the file cannot be read as text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise BadReference(f"expected a genome file of at most 10 MB, got a larger one: {path}")
        return data.decode(_encoding(data))
    except OSError as error:
        raise BadReference(f"cannot read {path} ({error.strerror})") from None
    except UnicodeDecodeError:
        raise BadReference(f"expected a text file, got bytes that are not UTF-8: {path}") from None


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
    """Whether a reference looks like a path of a file, whether or not the file exists."""
    return "/" in reference or reference.endswith((".py", ".txt", ".json"))


def is_file_reference(reference: str) -> bool:
    """Whether a reference names a file: it looks like a path, or such a file exists."""
    if names_file(reference):
        return True
    return exists(Path(reference), Path.is_file)
