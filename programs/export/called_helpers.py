"""Which helper functions exported code contains."""

import re
from collections.abc import Mapping


def helpers_for(code: str, helpers: Mapping[str, str]) -> str:
    """Source of every helper that `code` calls, directly or through another helper.

    Args:
        code: the code.
        helpers: the source of each helper by name; a helper comes after those that it calls.
    """
    needed: set[str] = set()
    unread = [code]
    while unread:
        called = set(re.findall(r"(?<![\w.])_[A-Za-z_]+", unread.pop())) & helpers.keys() - needed
        needed |= called
        unread += [helpers[name].split('"""')[-1] for name in called]
    return "\n\n".join(source.strip("\n") + "\n" for name, source in helpers.items() if name in needed)
