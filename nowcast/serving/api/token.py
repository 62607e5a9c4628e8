"""Who may ask: with a token set, those who show it, in every request or once, for a cookie."""

import hmac
from dataclasses import dataclass
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from nowcast.serving.api.faults import problem

FREE = "/ready"
"""Load balancers ask this, and it tells ages only."""

LOGIN, MAP = "/login", "/"
PAGE = Path(__file__).parent.parent / "web" / "login.html"
COOKIE = "nowcast"
DAYS_KEPT = 30
LONGEST_FORM = 4096
"""Bytes."""

POLICY = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
GUARDS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, eq=False)
class Token:
    """Lets pass who shows the token as `Authorization: Bearer`, or the cookie that `/login` gives for it.

    The cookie holds no token but a value made of it, which ends when the token is changed.
    """

    app: ASGIApp
    token: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "lifespan" or path == FREE:
            await self.app(scope, receive, send)
        elif scope["type"] != "http":
            raise ValueError(f"{scope['type']} is not served")
        elif path == LOGIN:
            await (await self._login(Request(scope, receive)))(scope, receive, send)
        elif self._may(Headers(scope=scope)):
            await self.app(scope, receive, send)
        else:
            await _refusal(scope)(scope, receive, send)

    def _may(self, headers: Headers) -> bool:
        kind, _, shown = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and _same(shown.strip(), self.token):
            return True
        return _same(_cookie(headers.get("cookie", "")), self._pass())

    def _pass(self) -> str:
        return hmac.new(self.token.encode(), b"nowcast cookie", sha256).hexdigest()

    async def _login(self, request: Request) -> Response:
        """The form, or a cookie for the token that it sends."""
        if request.method != "POST":
            return FileResponse(PAGE, headers=GUARDS)
        form = await _form(request)
        if form is None:
            return problem(413, f"a form has at most {LONGEST_FORM} bytes")
        if not _same(form, self.token):
            return problem(401, "that is not the token")
        answer = RedirectResponse(MAP, 303, headers={"Cache-Control": "no-store"})
        answer.set_cookie(
            COOKIE,
            self._pass(),
            max_age=DAYS_KEPT * 86400,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer


def _same(shown: str, wanted: str) -> bool:
    """Takes as long whichever letters are right."""
    return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), wanted.encode())


def _cookie(header: str) -> str:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


async def _form(request: Request) -> str | None:
    """The token that a form names, empty when it names none; None when it is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            return None
    return parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0]


def _refusal(scope: Scope) -> Response:
    """A browser that opens the map is led to the form."""
    if scope["path"] == MAP and "text/html" in Headers(scope=scope).get("accept", ""):
        return RedirectResponse(LOGIN, 303, headers={"Cache-Control": "no-store"})
    answer = problem(401, "this service asks for a bearer token, or in a browser for one at /login")
    answer.headers["WWW-Authenticate"] = 'Bearer realm="nowcast"'
    answer.headers["Cache-Control"] = "no-store"
    return answer
