"""The pages as an ASGI application: a link is looked at by GET, and its answer given by POST, never by GET.

Programs that preview links, and scanners of mail, open whatever they find: only a press of the button counts. ntfy's
buttons post by themselves.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
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
    limits, turns = Limits(now()), asyncio.Semaphore(MOST_AT_ONCE)

    async def link(request: Request) -> Response:
        address = request.client.host if request.client else ""
        if not limits.allow(address, now()):
            return _say(request, HTTPStatus.TOO_MANY_REQUESTS)
        if _is_large(request):
            return _say(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        do = "press" if request.method == "POST" else "look"
        try:
            async with asyncio.timeout(PATIENCE_S), turns:
                said = await ask({"do": do, "token": request.path_params["token"]})
            page = {name: said[name] for name in ("status", "title", "words", "button", "language")}
        except (HearthbeatError, TimeoutError, KeyError) as error:
            _log.warning("the daemon does not answer", error=str(error) or type(error).__name__)
            return _say(request, HTTPStatus.SERVICE_UNAVAILABLE)
        if page["status"] == HTTPStatus.FORBIDDEN:
            limits.charge(address, now())
        return _respond(request, **page)

    async def refuse(request: Request, error: Exception) -> Response:
        return _say(request, error.status_code if isinstance(error, HTTPException) else HTTPStatus.SERVICE_UNAVAILABLE)

    return Starlette(
        routes=[Route("/a/{token}", link, methods=["GET", "POST"])], exception_handlers={HTTPException: refuse}
    )


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
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(pages.html(title, words, button, language), status, headers)
    return PlainTextResponse(f"{title}. {words}\n", status, headers)
