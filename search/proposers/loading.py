"""The operators from outside of a run, checked when it is created and opened when it goes on.

A database is data, and may come from anywhere: it must neither choose code to import nor where to send a key. So a
function in a file, and an address that is not of this machine, have to be named by the user too.
"""

import ipaddress
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from germline.search.proposers.names import LLM, absolute, installed, is_file, shares, short_name, split_file
from germline.search.proposers.operator import BadOperator, OperatorProcess
from germline.search.proposers.prompt import estimated_tokens
from germline.search.proposers.settings import LanguageModelSettings
from germline.search.settings import RunSettings

_LLM_PLACE = "germline.search.proposers.llm:propose"


class UnconfirmedOperator(ValueError):
    """A run has an operator from outside that is asked only if the user names it too."""


def needs_confirmation(settings: RunSettings, own: tuple[str, ...]) -> list[str]:
    """What the user of a run with these settings has to name: functions in files, and the address of a service."""
    names = shares(settings.operators, own)
    addresses = [_language_model(settings).llm_url] if LLM in names and not _is_loopback(_checked_url(settings)) else []
    return [*filter(is_file, names), *addresses]


def confirm(settings: RunSettings, own: tuple[str, ...], named: Collection[str]) -> None:
    """Checks that the user has named all that `needs_confirmation`; a path may be relative.

    Raises:
        UnconfirmedOperator
    """
    known = {*named, *(absolute(name) for name in named)}
    for name in needs_confirmation(settings, own):
        if name not in known:
            what = "code" if is_file(name) else "an address"
            raise UnconfirmedOperator(
                f"expected the operator {name} of the run by name, because it is {what} that a database must not "
                f"choose; if you trust it, add --operator {shlex.quote(name)}"
            )


def operators_of(settings: RunSettings, own: tuple[str, ...]) -> dict[str, OperatorProcess]:
    """The operators from outside that a run asks, by their short names. Their processes start when they are needed.

    Raises:
        BadOperator: a file or package is missing, or settings of `llm` are.
    """
    return {short_name(name): _operator(name, settings) for name in shares(settings.operators, own)}


def check(settings: RunSettings, own: tuple[str, ...]) -> None:
    """Loads every operator from outside of a new run, and ends it again.

    Raises:
        BadOperator: one cannot be loaded, or its settings are incomplete.
    """
    for operator in operators_of(settings, own).values():
        try:
            operator.start()
        finally:
            operator.close()


def _operator(name: str, settings: RunSettings) -> OperatorProcess:
    seconds = settings.proposal_seconds
    if name == LLM:
        _checked_url(settings)
        service = _language_model(settings)
        if not service.llm_model:
            raise BadOperator("expected llm_model, the name of a model, for the operator llm; use --set llm_model=NAME")
        options: Mapping[str, Any] = {
            "url": service.llm_url,
            "model": service.llm_model,
            "answer_tokens": service.llm_answer,
            "temperature": service.llm_temperature,
            "seconds": 0.95 * seconds,
        }
        return OperatorProcess(name, _LLM_PLACE, seconds, options, estimated_tokens)
    if is_file(name):
        path = Path(split_file(name)[0])
        if not path.is_file():
            raise BadOperator(f"expected the file of the operator {name}, there is none at {path}")
        return OperatorProcess(short_name(name), name, seconds)
    point = installed().get(name)
    if point is None:
        raise BadOperator(f"expected the operator {name} of an installed package, there is none; install the package")
    return OperatorProcess(name, point.value, seconds)


def _language_model(settings: RunSettings) -> LanguageModelSettings:
    assert isinstance(settings, LanguageModelSettings)  # no other kind's setting `operators` takes `llm`
    return settings


def _checked_url(settings: RunSettings) -> SplitResult:
    """Raises BadOperator unless `llm_url` is a web address without a user, a password, a query and a fragment."""
    url = _language_model(settings).llm_url
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host or "\n" in url:
        raise BadOperator(
            f"expected llm_url, the address of a service that speaks OpenAI's chat protocol, for the operator llm, got "
            f"{url!r:.80}; use --set llm_url=http://host:8000/v1"
        )
    if parts.username or parts.password or "?" in url or "#" in url:
        raise BadOperator(
            "expected llm_url without a user, a password, a query and a fragment: a key belongs in GERMLINE_LLM_KEY"
        )
    return parts


def _is_loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
