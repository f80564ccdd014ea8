"""What the address of a request names."""

from starlette.requests import Request

from germline.cli.dashboard.pages import NoSuchPage


def name_of(request: Request) -> str:
    """The run that an address names.

    Raises:
        NoSuchPage: it names none.
    """
    name = request.query_params.get("name")
    if name is None:
        raise NoSuchPage("expected the name of a run in the address, as in /run?name=first")
    return name


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
