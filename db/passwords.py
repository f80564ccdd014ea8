"""Hides passwords in URLs of databases, and in messages that may quote them. Whatever prints a URL calls this first."""

import re
from typing import Final
from urllib.parse import unquote, unquote_plus

_USER_AND_PASSWORD: Final = re.compile(r"([^:/@]*:)(.*)@", re.DOTALL)
"""A password may contain any character that should have been escaped, so it reaches to the last ``@``."""
_SECRET_OPTION: Final = re.compile("pass|pwd|secret|token|credential", re.IGNORECASE)
"""Names of options whose value is a password, such as ``password``, ``sslpassword`` or ``PGPASSWORD``."""


def without_passwords(url: str) -> str:
    """The URL with ``***`` in the place of each password."""
    return "".join("***" if secret else part for part, secret in _parts(url))


def hide_passwords(message: str, url: str) -> str:
    """The message with ``***`` in the place of each password of the URL, as it is written there or decoded.

    A password of a single character is not hidden, since that character would be hidden everywhere in the message.
    """
    written = [part for part, secret in _parts(url) if secret]
    passwords = {text for part in written for text in (part, unquote(part), unquote_plus(part)) if len(text) > 1}
    for password in sorted(passwords, key=len, reverse=True):
        message = message.replace(password, "***")
    return message


def _parts(url: str) -> list[tuple[str, bool]]:
    """The URL in pieces, each with True if it is a password."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return [(url, False)]
    parts = [(scheme + separator, False)]
    user = _USER_AND_PASSWORD.match(rest)
    if user:
        parts += [(user[1], False), (user[2], True), ("@", False)]
        rest = rest[user.end() :]
    place, question, query = rest.partition("?")
    parts.append((place + question, False))
    for i, option in enumerate(query.split("&") if question else []):
        name, equals, value = option.partition("=")
        parts.append((("&" if i else "") + (name + equals if equals else ""), False))
        # A piece without a name may be the rest of a password that contains an ``&``.
        parts.append((value, _SECRET_OPTION.search(unquote_plus(name)) is not None) if equals else (option, True))
    return [(part, secret) for part, secret in parts if part]
