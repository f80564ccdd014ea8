"""No password of a URL is printed, wherever it stands in the URL and whoever quotes it."""

from collections.abc import Callable

import pytest

from germline.cli.search_session import resume_command_of
from germline.db.errors import BadUrl, DatabaseError
from germline.db.location import Server, locate
from germline.db.passwords import hide_passwords, without_passwords
from germline.db.records import RunRecord
from germline.db.store import Store

PLACES = {
    "postgresql://me:S3CR3T@host/db": "postgresql://me:***@host/db",
    "postgresql://:S3CR3T@host/db": "postgresql://:***@host/db",
    "postgresql://me:S3CR%40T@[::1]:5432/db": "postgresql://me:***@[::1]:5432/db",
    "postgresql://me:S3@CR3T@host/db": "postgresql://me:***@host/db",
    "postgresql://me:S3/CR?3#T@host/db": "postgresql://me:***@host/db",
    "postgresql+psycopg://me@host/db?password=S3CR3T": "postgresql+psycopg://me@host/db?password=***",
    "postgresql://host/db?user=me&sslpassword=S3CR3T&sslmode=require": (
        "postgresql://host/db?user=me&sslpassword=***&sslmode=require"
    ),
    "postgresql://host/db?PGPASSWORD=S3CR3T": "postgresql://host/db?PGPASSWORD=***",
    "postgresql://host/db?p%61ssword=S3CR3T": "postgresql://host/db?p%61ssword=***",
    "postgresql://host/db?password=S3&CR3T": "postgresql://host/db?password=***&***",
    "postgresql://host/db?passwd=S3CR3T&pwd=S3CR3T": "postgresql://host/db?passwd=***&pwd=***",
    "mysql://me:S3CR3T@host/db": "mysql://me:***@host/db",
}
HARMLESS = [
    "postgresql://me@host:5432/db",
    "postgresql:///db?host=/run/pg&connect_timeout=3",
    "a:b@c.db",
    "sqlite:///x@y",
]


@pytest.mark.parametrize(("url", "printed"), PLACES.items())
def test_a_password_is_hidden_wherever_it_stands(url: str, printed: str) -> None:
    assert without_passwords(url) == printed
    assert str(Server(url)) == printed


@pytest.mark.parametrize("url", HARMLESS)
def test_a_url_without_a_password_is_printed_as_it_is(url: str) -> None:
    assert without_passwords(url) == url


@pytest.mark.parametrize("url", PLACES)
def test_the_hint_to_resume_has_no_password(url: str) -> None:
    run = RunRecord(1, "first", "optimizer", "digits-mlp", "quick", 0, {}, {}, "stopped", None, "", 0.0)
    command = resume_command_of(run, url, None)
    assert command.startswith("germline resume first --db ")
    assert "S3" not in command and "CR" not in command and "3T" not in command


@pytest.mark.parametrize("url", PLACES)
@pytest.mark.parametrize("written", [str.upper, str.lower, lambda url: url.replace("host", "127.0.0.1:1")])
def test_no_error_has_a_password(url: str, written: Callable[[str], str]) -> None:
    with pytest.raises(DatabaseError) as caught:
        Store(written(url).replace("HOST", "host:nan"), wait_seconds=0.0)
    assert not any(part in str(caught.value).upper() for part in ("S3", "CR3T", "CR%40"))


def test_a_message_of_the_driver_has_no_password() -> None:
    url = "postgresql://me:S3%20CR3T@host/db?sslpassword=x%2By"
    assert hide_passwords('FATAL: "S3 CR3T" or S3%20CR3T or x+y', url) == 'FATAL: "***" or *** or ***'


def test_a_password_that_is_not_escaped_is_refused_before_a_driver_takes_it_for_a_host() -> None:
    with pytest.raises(
        BadUrl, match=r"expected one @ in a URL and %40 for all others, got postgresql://me:\*\*\*@host"
    ):
        locate("postgresql://me:S3@CR3T@host/db")
