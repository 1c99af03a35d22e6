"""What a page looks like: one heading, plain words, perhaps one button; no script, and nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from types import MappingProxyType
from typing import Final

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

# What this process says by itself, where the daemon cannot: title and words, in the languages of the catalogues.
_SAYINGS: Final[Mapping[int, Mapping[str, tuple[str, str]]]] = MappingProxyType(
    {
        404: {
            "en": ("Nothing here", "There is no such page. Open the link from the message itself."),
            "zh": ("没有这个页面", "请从消息中打开链接。"),
        },
        405: {
            "en": ("Not so", "A page can be looked at, and its button pressed."),
            "zh": ("不支持", "请使用页面上的按钮。"),
        },
        413: {"en": ("Too much", "A press of a button says nothing else."), "zh": ("内容过大", "请使用页面上的按钮。")},
        429: {
            "en": ("Too many at once", "Wait for half a minute and try again."),
            "zh": ("请求过多", "请等半分钟后再试。"),
        },
        503: {
            "en": ("Hearthbeat does not answer", "Nothing was noted. Try again in a minute."),
            "zh": ("Hearthbeat 没有回应", "您的回答没有被记录。请一分钟后再试。"),
        },
    }
)


def saying(status: int, accepted_languages: str) -> tuple[str, str, str]:
    """Title, words and language for an HTTP status; `accepted_languages` is what Accept-Language says."""
    language = "zh" if accepted_languages.strip().lower().startswith("zh") else "en"
    title, told = _SAYINGS.get(status, _SAYINGS[503])[language]
    return title, told, language


def html(title: str, told: str, button: str | None, language: str) -> str:
    """The page; its button sends the answer to the address of the page itself."""
    form = f'<form method="post"><button>{escape(button)}</button></form>' if button else ""
    return (
        f'<!doctype html><html lang="{escape(language)}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
        f"<h1>{escape(title)}</h1><p>{escape(told)}</p>{form}"
    )
