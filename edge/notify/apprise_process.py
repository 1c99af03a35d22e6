"""The process that speaks to Apprise: one request from standard input, one answer to standard output, both JSON.

The request holds `url` and, unless the URL is only to be checked, `title`, `body`, `severity`, `actions` (each with
`label` and `url`) and `picture` (a Chart, or null); the answer holds `accepted` and `reason`. The URL comes by standard
input because arguments are for everybody to see, and the reason is made of our own words and a status number because
Apprise's words may hold parts of the URL.
"""

from __future__ import annotations

import contextlib
import http
import json
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import apprise

# Apprise's own 4 s is short for a server that works but is busy, and giving up early means telling twice.
ANSWER_TIMEOUT_S: Final = 15.0

NOTIFY_TYPES: Final = {
    "info": apprise.NotifyType.INFO,
    "warning": apprise.NotifyType.WARNING,
    "critical": apprise.NotifyType.FAILURE,
}


class _Complaints(logging.Handler):
    """Keeps what Apprise warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        self.texts.append(record.getMessage())


def answer(request: Mapping[str, str]) -> dict[str, bool | str | None]:
    """Check the URL of `request`, and send the message if there is one."""
    complaints = _Complaints()
    logging.getLogger("apprise").addHandler(complaints)
    phone = apprise.Apprise()
    if not phone.add(request["url"]):
        return {"accepted": False, "reason": "Apprise does not understand the URL"}
    if "body" not in request:
        return {"accepted": True, "reason": None}
    for service in phone:
        service.socket_read_timeout = max(service.socket_read_timeout, ANSWER_TIMEOUT_S)
    accepted = phone.notify(
        title=request["title"],
        body=request["body"],
        notify_type=NOTIFY_TYPES[request["severity"]],
        body_format=apprise.NotifyFormat.TEXT,
    )
    return {"accepted": bool(accepted), "reason": None if accepted else _reason(complaints.texts)}


def _reason(complaints: Sequence[str]) -> str:
    for complaint in complaints:
        # The form in which Apprise's channels report a refusal: "Failed to send …: Not Found, error=404."
        refusal = re.search(r"\berror=(\d{3})\b", complaint)
        if refusal:
            return f"the service answered {_status(int(refusal[1]))}"
        if "connection error" in complaint.lower():
            return "the service could not be reached, or did not answer"
    return "the service did not take the message"


def _status(code: int) -> str:
    try:
        return f"{code} {http.HTTPStatus(code).phrase}"
    except ValueError:  # services make up codes of their own
        return str(code)


def main() -> None:
    """Answer the one request."""
    request = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):  # what a channel prints is no answer
        said = answer(request)
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
