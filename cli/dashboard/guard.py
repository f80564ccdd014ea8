"""What the server refuses: other hosts' names, other sites, and every method but GET, HEAD and a POST with its token.

A page of another site can make a browser send requests to a loopback address. By a name that it lets point to 127.0.0.1
(DNS rebinding) it could even read the answers. So a request must name a loopback host, and a POST must come from a page
that this server has served, and a GET that a browser says comes from another site must open a page in a tab.
"""

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = frozenset(("127.0.0.1", "localhost", "[::1]"))
"""The names of the machine itself, as a browser writes them."""

HTTP_PORT = 80
"""The port that browsers leave out of a Host header and of an origin."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of all pages: files of this server alone, no inline script, no eval."""

HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Guard:
    """An application around another: it answers what is refused, and adds headers of safety to every answer.

    Args:
        app: answers what is let through.
        port: of the server; a Host header must name it, unless it is 80, which browsers leave out.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = frozenset(f"{host}:{port}" for host in HOSTS) | (HOSTS if port == HTTP_PORT else frozenset())
        self._origins = frozenset(f"http://{host}" for host in self._hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        if refusal is not None:
            status, text = refusal
            await PlainTextResponse(text, status)(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)

    def _refusal(self, method: str, headers: Headers) -> tuple[int, str] | None:
        """The status and the reason, or None for a request that is let through."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return 421, "expected a Host header with 127.0.0.1 or localhost and the port of this server"
        if method in ("GET", "HEAD"):
            if _embedded_elsewhere(headers):
                return 403, "expected a request from a page of this server, or a link to a page"
            return None
        if method != "POST":
            return 405, f"expected GET, got {method[:20]}"
        if not self._same_origin(headers):
            return 403, "expected a request from a page of this server"
        return None

    def _same_origin(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin in (None, "null"):  # `null` with `no-referrer` policies; then the browser still says whence
            return headers.get("sec-fetch-site") == "same-origin"
        parts = urlsplit(origin or "")
        named = f"{parts.scheme}://{parts.netloc}" in self._origins
        return named and headers.get("sec-fetch-site") in (None, "same-origin")


def _embedded_elsewhere(headers: Headers) -> bool:
    """Whether another site asks for more than to show a page in a tab of its own: it could learn from how long the
    answer takes, or make the server compute. Browsers alone send these headers."""
    if headers.get("sec-fetch-site") != "cross-site":
        return False
    return headers.get("sec-fetch-mode") != "navigate" or headers.get("sec-fetch-dest") != "document"


def is_token(given: object, token: str) -> bool:
    """Whether a text is the token, compared in a time that does not tell how much of it is right."""
    return isinstance(given, str) and hmac.compare_digest(given.encode(errors="replace"), token.encode())
