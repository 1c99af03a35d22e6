"""The pages as an ASGI application: a link is looked at by GET, and its answer given by POST, never by GET.

Programs that preview links, and scanners of mail, open whatever they find: only a press of the button counts. ntfy's
buttons post by themselves. Programs of the household may read what a token lets them (RFC 6750).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from edge.errors import HearthbeatError
from edge.web import pages
from edge.web.limits import Limits

# Bytes that a press may bring with it: a form without fields has none. Our choice.
LARGEST_BODY: Final = 1024
# Real seconds within which the daemon answers, and how many requests it is asked at once. Our choice.
PATIENCE_S: Final = 10.0
MOST_AT_ONCE: Final = 8

Words = Mapping[str, Any]
Ask = Callable[[Words], Awaitable[Words]]

_log = structlog.get_logger("web")


def make_app(ask: Ask, now: Callable[[], float] = time.monotonic) -> Starlette:
    """The application; `ask` asks the daemon and raises HearthbeatError, `now` is a clock that is never set back."""
    answers = _Answers(ask, now)
    app = Starlette(
        routes=[
            Route("/a/{token}", answers.link, methods=["GET", "POST"]),
            Route("/api/v1/{what}", answers.read, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _refuse},
    )
    app.router.redirect_slashes = False  # it would send whoever asks to the host that the request itself names
    return app


class _Answers:
    """Answers requests within their limits, by what the daemon says."""

    def __init__(self, ask: Ask, now: Callable[[], float]) -> None:
        self._ask = ask
        self._now = now
        self._limits = Limits(now())
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def link(self, request: Request) -> Response:
        """The page of a link, or what its button does."""
        if not self._limits.allow(_address(request), self._now()):
            return _say(request, HTTPStatus.TOO_MANY_REQUESTS)
        if _is_large(request):
            return _say(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        do = "press" if request.method == "POST" else "look"
        page = await self._asked(
            {"do": do, "token": request.path_params["token"]}, ("status", "title", "words", "button", "language")
        )
        if page is None:
            return _say(request, HTTPStatus.SERVICE_UNAVAILABLE)
        if page["status"] == HTTPStatus.FORBIDDEN:
            self._limits.charge(_address(request), self._now())
        return _respond(request, **page)

    async def read(self, request: Request) -> Response:
        """What a program may read that brings a token."""
        if not self._limits.allow(_address(request), self._now()):
            return _say(request, HTTPStatus.TOO_MANY_REQUESTS)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        brought = token.strip() if scheme.lower() == "bearer" else ""
        said = await self._asked(
            {"do": "read", "what": request.path_params["what"], "token": brought}, ("status", "body")
        )
        if said is None:
            return _say(request, HTTPStatus.SERVICE_UNAVAILABLE)
        if said["status"] != HTTPStatus.OK:
            self._limits.charge(_address(request), self._now())
            return _say(request, said["status"])
        return JSONResponse(said["body"], headers=pages.API_HEADERS)

    async def _asked(self, request: Words, fields: Iterable[str]) -> dict[str, Any] | None:
        """These fields of what the daemon says; None where it does not say them in time."""
        try:
            async with asyncio.timeout(PATIENCE_S), self._turns:
                said = await self._ask(request)
            return {name: said[name] for name in fields}
        except (HearthbeatError, TimeoutError, KeyError) as error:
            _log.warning("the daemon does not answer", error=str(error) or type(error).__name__)
            return None


async def _refuse(request: Request, error: Exception) -> Response:
    return _say(request, error.status_code if isinstance(error, HTTPException) else HTTPStatus.SERVICE_UNAVAILABLE)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _is_large(request: Request) -> bool:
    length = request.headers.get("content-length", "0")
    return not length.isdigit() or int(length) > LARGEST_BODY


def _say(request: Request, status: int) -> Response:
    title, told, language = pages.saying(status, request.headers.get("accept-language", ""))
    return _respond(request, status, title, told, None, language)


def _respond(request: Request, status: int, title: str, words: str, button: str | None, language: str) -> Response:
    """A page for people; a line of text for programs, such as the one that posts for a button of ntfy."""
    headers = {**pages.HEADERS, "Content-Language": language}
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        headers["Retry-After"] = "30"
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(pages.html(title, words, button, language), status, headers)
    return PlainTextResponse(f"{title}. {words}\n", status, headers)
