"""What every request passes: who may ask, how much, and what a browser may do with the answer."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs
from weakref import WeakKeyDictionary

from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LONGEST = 16_000  # bytes of an address
AT_ONCE = 8  # requests that are answered; the others wait in a line
PATIENCE = 5.0  # seconds that one waits before it is told to come again
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
COOKIE = "inaho_token"
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-dns-prefetch-control": "off",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "cache-control": "no-store",
}


def policy(nonce: str) -> str:
    """The Content-Security-Policy of our own pages: style and script by nonce, nothing fetched."""
    return (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
        "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


# Of a page of strangers: no scripts, no forms, no windows, no network, and only in our own frame.
FRAME_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"


class Guard:
    """ASGI middleware. token: what has to be known where not only this machine can ask."""

    def __init__(self, app: ASGIApp, token: str = "") -> None:
        self.app, self.token = app, token
        self._places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            WeakKeyDictionary()
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["nonce"] = nonce

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with_headers(message["headers"], nonce)
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, guarded)
            return
        places = self._places.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE))
        try:
            await asyncio.wait_for(places.acquire(), PATIENCE)
        except TimeoutError:
            busy = PlainTextResponse("busy: ask again", 503, {"retry-after": "1"})
            await busy(scope, receive, guarded)
            return
        try:
            await self.app(scope, receive, guarded)
        finally:
            places.release()

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> Any:
        """The answer to a request that is not let in; None for one that is."""
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("this only reads: GET", 405, {"allow": "GET, HEAD"})
        if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST:
            return PlainTextResponse("the address is too long", 414)
        if not self.token:
            # A name that somebody points to this machine must not read it (DNS rebinding).
            host = headers.get("host", "").lower()
            name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
            known = name in LOOPBACK
            return None if known else PlainTextResponse("this answers to localhost only", 421)
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if asked and hmac.compare_digest(asked.encode(), self.token.encode()):
            answer = RedirectResponse(scope["path"], 303)
            answer.set_cookie(COOKIE, self.token, httponly=True, samesite="strict")
            return answer
        given = _cookie(headers.get("cookie", ""))
        if given and hmac.compare_digest(given.encode(), self.token.encode()):
            return None
        return PlainTextResponse("open the address that `corpus explore` printed", 403)


def _with_headers(headers: list[tuple[bytes, bytes]], nonce: str) -> list[tuple[bytes, bytes]]:
    own = {key.lower() for key, _ in headers}
    wanted = {"content-security-policy": policy(nonce), **HEADERS}
    extra = [(k.encode(), v.encode()) for k, v in wanted.items() if k.encode() not in own]
    return [*headers, *extra]


def _cookie(text: str) -> str:
    try:
        cookie = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return ""
    return cookie.value if cookie else ""
