"""A client of the dashboard that sends whatever headers a test wants."""

import http.client
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode


class Answer(NamedTuple):
    """An answer of the server; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    text: str
    body: bytes


class Client:
    """Sends requests to a port of this machine, with whatever headers a test wants."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(
        self, target: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: str | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=240)
        wanted = {"Host": f"127.0.0.1:{self.port}", **(headers or {})}
        connection.putrequest(method, target, skip_host=True)
        for name, value in wanted.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body.encode() if body is not None else None)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, content.decode(errors="replace"), content)

    def post(self, target: str, headers: Mapping[str, str] | None = None, **form: str) -> Answer:
        own = {"Origin": f"http://127.0.0.1:{self.port}", "Content-Type": "application/x-www-form-urlencoded"}
        return self.ask(target, "POST", {**own, **(headers or {})}, urlencode(form))
