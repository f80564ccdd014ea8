"""The tags of runs: words that people give them. They lie in the run's environment, beside what else is known of a run
and decides nothing in it. SQLAlchemy is not imported: ``germline runs`` must answer sooner."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from germline.db.errors import InvalidRecord

KEY: Final = "tags"
_TAG: Final = re.compile(r"\w[\w.+/@-]{0,63}")


def checked_tag(tag: str) -> str:
    """The tag, if it can be one: letters, digits and ``_ . + / @ -``, at most 64.

    Raises:
        InvalidRecord
    """
    if not _TAG.fullmatch(tag):
        raise InvalidRecord(f"expected a tag of at most 64 letters, digits and _ . + / @ -, got {tag!r:.80}")
    return tag


def tags_of(environment: Any) -> tuple[str, ...]:
    """The tags in a run's environment, as JSON text or read; what is none in a foreign database is left out."""
    if isinstance(environment, str):
        try:
            environment = json.loads(environment)
        except (ValueError, RecursionError):
            return ()
    tags = environment.get(KEY) if isinstance(environment, dict) else None
    return tuple(tag for tag in tags if isinstance(tag, str) and _TAG.fullmatch(tag)) if isinstance(tags, list) else ()


def changed(tags: Iterable[str], added: Iterable[str], removed: Iterable[str]) -> tuple[str, ...]:
    """Tags in alphabetical order, each once, with some added and then others removed."""
    return tuple(sorted(({*tags} | {*added}) - {*removed}))
