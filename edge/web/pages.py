"""What a page looks like: one heading, plain words, perhaps one button; no script, and nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from html import escape
from itertools import islice
from types import MappingProxyType
from typing import Final

from edge.notify.languages import ENGLISH, language_of, languages
from edge.phrases import words

STYLE: Final = (
    "body{font:1.2rem/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 1.2rem;color:#222;"
    "background:#fff}h1{font-size:1.6rem}button{font:inherit;font-weight:600;width:100%;padding:1rem;border:0;"
    "border-radius:.6rem;color:#fff;background:#0b6b53}@media(prefers-color-scheme:dark){body{color:#eee;"
    "background:#161616}}"
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

# Nothing is loaded, run, framed, kept or told to others (https://www.w3.org/TR/CSP3/; MDN, HTTP headers). A connection
# is for one page: what else may come over it is not read.
HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        # ntfy's web page may read what became of its button: who has a link's address needs no other right.
        "Access-Control-Allow-Origin": "*",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "X-Robots-Tag": "noindex, nofollow",
        "Cache-Control": "no-store",
        "Connection": "close",
    }
)

API_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {name: value for name, value in HEADERS.items() if name != "Access-Control-Allow-Origin"}
)

# What this process says by itself, where the daemon cannot: title and words.
_SAYINGS: Final[Mapping[int, tuple[str, str]]] = MappingProxyType(
    {
        401: (words("Not allowed"), words("Only who has the token may read this.")),
        404: (words("Nothing here"), words("There is no such page. Open the link from the message itself.")),
        405: (words("Not so"), words("A page can be looked at, and its button pressed.")),
        413: (words("Too much"), words("A press of a button says nothing else.")),
        429: (words("Too many at once"), words("Wait for half a minute and try again.")),
        503: (
            words("Hearthbeat does not answer"),
            words("Your answer may not have been noted. Try again in a minute."),
        ),
    }
)
# Languages of a browser that are looked at: more than anybody speaks.
_MOST_LANGUAGES: Final = 10


def saying(status: int, accepted_languages: str) -> tuple[str, str, str]:
    """Title, words and language for an HTTP status; `accepted_languages` is what Accept-Language says.

    Its first language that has a catalogue counts, whatever its region and weight (RFC 9110, 12.5.4): browsers put the
    one that is preferred first.
    """
    accepted = (tag.strip().lower().partition("-")[0] for tag in re.split("[,;]", accepted_languages, maxsplit=20))
    known = languages()
    code = next((tag for tag in islice(accepted, _MOST_LANGUAGES) if tag in known), ENGLISH)
    _ = language_of(code)
    title, told = _SAYINGS.get(status, _SAYINGS[503])
    return _(title), _(told), code


def html(title: str, told: str, button: str | None, language: str) -> str:
    """The page; its button sends the answer to the address of the page itself."""
    form = f'<form method="post"><button>{escape(button)}</button></form>' if button else ""
    return (
        f'<!doctype html><html lang="{escape(language)}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
        f"<h1>{escape(title)}</h1><p>{escape(told)}</p>{form}"
    )
