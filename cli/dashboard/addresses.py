"""What the address of a request names."""

from starlette.requests import Request

from germline.cli.dashboard.no_such_page import NoSuchPage


def name_of(request: Request) -> str:
    """The run that an address names.

    Raises:
        NoSuchPage: it names none.
    """
    name = request.query_params.get("name")
    if name is None:
        raise NoSuchPage("expected the name of a run in the address, as in /run?name=first")
    return name


def page_of(request: Request) -> int:
    """The page of a long list, counted from 1, which is where a list begins.

    Raises:
        NoSuchPage: what it names is no number from 1.
    """
    text = request.query_params.get("page", "1")
    if not (text.isascii() and text.isdecimal() and len(text) < 7 and int(text)):
        raise NoSuchPage(f"expected the number of a page, got {text!r:.40}")
    return int(text)


def birth_of(request: Request) -> int | None:
    """The birth that an address names; None: the winner.

    Raises:
        NoSuchPage: what it names is no number.
    """
    text = request.query_params.get("birth")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise NoSuchPage(f"expected the number of a birth, got {text!r:.40}")
    return int(text)
