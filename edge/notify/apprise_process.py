"""The process that speaks to Apprise: it loads all channels once, then waits, and forks for each request.

Standard input is a socket over which the daemon hands one further socket for each request: JSON comes in by it, and
lines of JSON go out, of which the last is the answer. A request holds `url` and, unless the URL is only to be checked,
`title`, `body`, `severity`, `turn`, `actions` (each with `label` and `url`) and `picture` (a Chart, or null); the
answer holds `accepted`, `reason`, `service`, `refused` where the service has answered and declined, and `unsure` where
the message was on its way and nobody knows whether it has arrived. One with `reach`, a host and a port, only asks
whether that host answers. A line with `asks_for`, a host and a port, goes ahead of the answer when a channel looks for
its service.

Secrets come by socket because arguments are for everybody to see, and a reason is made of our own words and a status
number because Apprise's words may hold parts of the URL. A fork, because one that hangs is ended by the kernel and
takes nothing with it, and because it costs milliseconds where loading Apprise costs seconds on a small machine.
"""

from __future__ import annotations

import gc
import http
import json
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import apprise
from apprise.attachment.file import AttachFile
from apprise.plugins import url_to_dict
from apprise.plugins.ntfy import NotifyNtfy, NtfyPriority

from edge.notify.pictures import draw

# Apprise's own 4 s is short for a server that works but is busy, and giving up early means telling twice.
ANSWER_TIMEOUT_S: Final = 15.0

NOTIFY_TYPES: Final = {
    "info": apprise.NotifyType.INFO,
    "warning": apprise.NotifyType.WARNING,
    "critical": apprise.NotifyType.FAILURE,
}

# How loud a phone is, by ntfy's names; a URL that has a priority of its own keeps it. Our choice.
_LOUDNESS: Final = (NtfyPriority.NORMAL, NtfyPriority.HIGH, NtfyPriority.MAX)
_LEVELS: Final = {"info": 0, "warning": 1, "critical": 2}

# Apprise would give its own icon along, which the phone then fetches from GitHub at the hour of the alert. It would
# also follow a redirection by GET, which carries no message (RFC 9110, 15.4.2), and take the page it finds for a
# delivery; a URL that says redirect=yes still has it do so.
_MANNERS: Final = apprise.AppriseAsset(image_url_mask="", image_url_logo="", http_redirects=False)

# As many buttons as ntfy shows with one message (https://docs.ntfy.sh/publish/#action-buttons).
MOST_BUTTONS: Final = 3

_Answer = dict[str, bool | str | None]


# How Apprise's channels begin a line on a connection that failed, and how requests says that it failed once it was
# there: no answer in time, or a hang-up in place of one.
_BROKEN: Final = "Socket Exception: "
_ON_ITS_WAY: Final = ("Read timed out", "Connection aborted")


class _Complaints(logging.Handler):
    """Keeps what Apprise warns of, and whether a connection broke with a message on its way."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.unsure = False

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            self.texts.append(text)
        elif text.startswith(_BROKEN):
            self.unsure |= any(sign in text for sign in _ON_ITS_WAY)


def answer(request: Mapping[str, Any]) -> _Answer:
    """Check the URL of `request`, and send the message if there is one."""
    complaints = _Complaints()
    logger = logging.getLogger("apprise")
    logger.addHandler(complaints)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False  # what it says in detail is secret
    phone = apprise.Apprise(asset=_MANNERS)
    if not phone.add(_with_buttons(request["url"], request.get("actions", ()))):
        return {"accepted": False, "reason": "Apprise does not understand the URL", "service": "", "refused": True}
    services = list(phone)  # more than one where the URL holds several with commas between
    named: _Answer = {"service": ", ".join(dict.fromkeys(str(service.service_name) for service in services))}
    if "body" not in request:
        return {"accepted": True, "reason": None, "refused": False, **named}
    for service in services:
        service.socket_read_timeout = max(service.socket_read_timeout, ANSWER_TIMEOUT_S)
        if isinstance(service, NotifyNtfy) and "priority=" not in request["url"].lower():
            service.priority = _LOUDNESS[_level(request["severity"], request["turn"])]
    picture = _picture(request["picture"]) if all(service.attachment_support for service in services) else None
    accepted = _notify(phone, request, picture)
    if picture is not None and not accepted and _was_refused(complaints.texts):
        # Many a server takes no pictures, or none of this size: the words matter more.
        complaints.texts.clear()
        for service in services:
            service.request_rate_per_sec = 0.0  # it would wait for seconds before a second request
        accepted = _notify(phone, request, None)
    return {
        "accepted": accepted,
        "reason": None if accepted else _reason(complaints.texts),
        "refused": not accepted and _was_refused(complaints.texts),
        "unsure": not accepted and complaints.unsure,
        **named,
    }


def _level(severity: str, turn: str) -> int:
    """An answer or an all-clear need not wake anybody; what nobody has answered is one step louder."""
    if turn in {"answered", "cleared"}:
        return 0
    return min(_LEVELS[severity] + turn.startswith("escalated"), len(_LOUDNESS) - 1)


def _notify(phone: apprise.Apprise, request: Mapping[str, Any], picture: AttachFile | None) -> bool:
    return bool(
        phone.notify(
            title=request["title"],
            body=_with_links(request["body"], _without_button(phone, request["actions"])),
            notify_type=NOTIFY_TYPES[request["severity"]],
            body_format=apprise.NotifyFormat.TEXT,
            attach=picture,
        )
    )


def _with_buttons(url: str, actions: Sequence[Mapping[str, str]]) -> str | dict[str, Any]:
    """The URL, for Apprise, with what ntfy needs to show buttons: a header, which takes ASCII only, and JSON is.

    A button posts by itself, and takes the message away where its answer counts.
    """
    parts = url_to_dict(url) if actions else None
    if parts is None or parts["schema"] not in {NotifyNtfy.protocol, NotifyNtfy.secure_protocol}:
        return url
    buttons = [{"action": "http", "clear": True, **action} for action in actions[:MOST_BUTTONS]]
    return {**parts, "actions": json.dumps(buttons)}


def _without_button(phone: apprise.Apprise, actions: Sequence[Mapping[str, str]]) -> Sequence[Mapping[str, str]]:
    return actions[MOST_BUTTONS:] if isinstance(phone[0], NotifyNtfy) else actions


def _with_links(body: str, actions: Sequence[Mapping[str, str]]) -> str:
    """For channels without buttons."""
    return "\n".join([body, *(f"{action['label']}: {action['url']}" for action in actions)])


def _picture(chart: Mapping[str, Any] | None) -> AttachFile | None:
    """The drawn chart as a file in memory: it touches no disk, and ends with this process."""
    if chart is None:
        return None
    try:
        drawn = draw(chart)
    except Exception:  # noqa: BLE001 -- whatever it is, the words must go
        return None
    handle = os.memfd_create("picture")
    os.write(handle, drawn)
    return AttachFile(f"/proc/self/fd/{handle}", name="hearthbeat.png", mimetype="image/png")


# The form in which Apprise's channels report a refusal: "Failed to send …: Not Found, error=404." ntfy's server adds
# two digits to the status.
_REFUSAL: Final = re.compile(r"\berror=([1-5]\d{2})(?:\d{2})?\b")


def _was_refused(complaints: Sequence[str]) -> bool:
    return any(_REFUSAL.search(complaint) for complaint in complaints)


def _reason(complaints: Sequence[str]) -> str:
    for complaint in complaints:
        refusal = _REFUSAL.search(complaint)
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


def _reached(host: str, port: int) -> _Answer:
    """Whether a host takes connections; how long that may take is for the request's time limit to say."""
    try:
        socket.create_connection((host, port)).close()
    except OSError:
        return {"accepted": False, "reason": "out of reach", "service": "", "refused": False}
    return {"accepted": True, "reason": None, "service": "", "refused": False}


def _serve(connection: socket.socket) -> None:
    """Answer one request, in a process of its own."""
    with connection, connection.makefile("rw", encoding="utf-8") as lines:
        request = json.load(lines)
        # The kernel ends a process that hangs, whatever it hangs in.
        signal.setitimer(signal.ITIMER_REAL, request["timeout_s"])

        def say(words: Mapping[str, Any]) -> None:
            lines.write(json.dumps(words) + "\n")
            lines.flush()

        if "reach" in request:
            say(_reached(*request["reach"]))
        else:
            sys.addaudithook(_listener(say))
            say(answer(request))


def _listener(say: Callable[[Mapping[str, Any]], None]) -> Callable[[str, tuple[Any, ...]], None]:
    """Tells where a channel looks for its service, which only the channel knows."""
    told = False

    def listen(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal told
        if event == "socket.getaddrinfo" and not told:
            host, port = arguments[:2]
            if isinstance(host, str) and isinstance(port, int):
                told = True
                say({"asks_for": [host, port]})

    return listen


def main() -> None:
    """Fork for every request until the daemon hangs up."""
    apprise.Apprise(asset=_MANNERS).add("json://localhost")  # loads the channels
    gc.collect()
    gc.freeze()  # a collection in a fork would copy what all of them share
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    control = socket.socket(fileno=sys.stdin.fileno())
    while True:
        _, handles, _, _ = socket.recv_fds(control, 1, 1)
        if not handles:
            os._exit(0)
        if os.fork() == 0:
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                _serve(socket.socket(fileno=handles[0]))
            finally:
                os._exit(0)
        os.close(handles[0])


if __name__ == "__main__":
    main()
