"""Where links are made for the buttons of a notification, and answered when they are pressed (see edge.buttons.links).

phone ──▶ web process ──▶ socket ──▶ LinkDesk ──▶ Attending.answer ──▶ store

The web process knows no key: it hands on what it was given, and shows what it is told. Over its socket it can ask for
nothing else, so that whoever takes it over can do no more than press buttons that they hold the links of, and read what
they hold a token for.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

import structlog

from edge.attending import Attending
from edge.buttons import links
from edge.buttons.api import WebApi
from edge.buttons.links import Link
from edge.clock import Clock, SystemClock
from edge.errors import StoreError, WrongUseError
from edge.notices import Alert, Button, Notification
from edge.notify import link_words
from edge.notify.languages import ENGLISH
from edge.notify.link_words import Page
from edge.notify.phone import Action
from edge.notify.texts import clock_time
from edge.recorder import Recorder
from edge.running import control
from edge.settings.contacts import ContactSettings
from edge.settings.home import Settings
from edge.store.store import Store

# What the button says it does: "Snooze 1 h".
SNOOZE_S: Final = 3600.0
# Of links that are refused so many are logged in a stretch of time, in seconds; all are counted. Our choice.
MOST_LOGGED: Final = 5
LOGGED_EVERY_S: Final = 600.0
# Requests of the web process at a time: it asks for a few at most (see edge.web), and files that are open are few.
MOST_AT_ONCE: Final = 16
# The web process says every minute that it is there (edge.web); seconds after which it is not. Our choice.
UNHEARD_S: Final = 300.0

_log = structlog.get_logger("links")


class LinkDesk:
    """The links of one home; there are none where its settings have no [web].

    `contacts` are those that are told, as of now, `attending` what takes the answers, and `snapshot` what programs may
    read that have a token (see WebApi). `counts` says how many links were of which kind: "answered", "used", "over",
    "expired", "forged" and "refused", and how many programs were "denied". The web process is another one, which lives
    by the `machine`'s own clock, however the home's is hurried.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        recorder: Recorder,
        clock: Clock,
        *,
        contacts: Callable[[], Sequence[ContactSettings]],
        attending: Callable[[], Attending],
        snapshot: Callable[[], Awaitable[Mapping[str, Any]]],
        machine: Clock | None = None,
    ) -> None:
        self._web = settings.web
        self._folder = settings.home.state_directory
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._contacts = contacts
        self._attending = attending
        self._api = WebApi(None if self._web is None else self._web.token_file, store, recorder, snapshot)
        self._key: bytes | None = None
        self._opening = asyncio.Lock()
        self._pressing = asyncio.Lock()
        self._used_unstored: dict[bytes, float] = {}
        self._logged: list[float] = []
        self.counts: Counter[str] = Counter()
        self._closed: str | None = None
        self._machine = machine or SystemClock()
        self._asked_at = self._machine.monotonic()

    async def actions(self, notification: Notification) -> Sequence[Action]:
        """The buttons of a notification, with links that are good from now on. Raises StoreError without a key."""
        if self._web is None or not notification.buttons:
            return ()
        key, now = await self._home_key(), self._clock.wall()
        language = self._languages.get(notification.contact, ENGLISH)
        made = [links.new_link(notification.alert_id, one, notification.contact, now) for one in notification.buttons]
        return [
            Action(link_words.label_of(link.button, language), f"{self._web.url}/a/{links.write_token(key, link)}")
            for link in made
        ]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Answer the web process while the context lasts; where its socket cannot be made there are no buttons."""
        if self._web is None:
            yield
            return
        path = self._web.socket
        async with AsyncExitStack() as stack:
            try:
                # Who may enter the folder may ask: it belongs to the web process's group (systemd/hearthbeat.tmpfiles).
                await stack.enter_async_context(
                    control.serving(path.parent, self.respond, name=path.name, mode=0o666, most=MOST_AT_ONCE)
                )
            except OSError as error:
                self._closed = f"the daemon cannot listen at {path} ({error.strerror})"
                _log.error("no buttons", error=self._closed)
            yield

    @property
    def fault(self) -> str | None:
        """Why pressing a button leads nowhere, None where it does lead here or there are no buttons."""
        if self._web is None or self._closed is not None:
            return self._closed
        if self._machine.monotonic() - self._asked_at > UNHEARD_S:
            return "the web process is not heard of"
        return None

    async def respond(self, request: Mapping[str, Any]) -> AsyncGenerator[Mapping[str, Any], None]:
        """What the web process may ask: where it is to listen, what becomes of a link, and what a token lets it read.

        {"do": "listen"}, {"do": "look", "token": TOKEN}, {"do": "press", "token": TOKEN}, or {"do": "read", "what":
        "status" or "alerts", "token": TOKEN}. Raises WrongUseError.
        """
        token = request.get("token")
        self._asked_at = self._machine.monotonic()
        if request == {"do": "listen"} and self._web is not None:
            yield {"listen": self._web.listen, "port": self._web.port}
        elif request.get("do") in ("look", "press") and isinstance(token, str):
            # Whoever pressed may go away, but must leave nothing half done.
            page = await asyncio.shield(self._page(token, press=request["do"] == "press"))
            yield page.as_json()
        elif request.get("do") == "read" and isinstance(token, str):
            said = await self._api.read(str(request.get("what")), token)
            self.counts["denied"] += said["status"] == HTTPStatus.UNAUTHORIZED
            yield said
        else:
            raise WrongUseError("that is no request for links", where="links", mend="press a button")

    async def _page(self, token: str, *, press: bool) -> Page:
        """What a link leads to; only a press counts."""
        link = links.read_token(await self._home_key(), token)
        if link is None:
            return self._refuse("forged", link_words.forged_page(self._common_language()))
        language = self._languages.get(link.contact)
        if language is None:
            return self._refuse("refused", link_words.refused_page(self._common_language()))
        async with self._pressing:  # of two presses at once one comes first
            return await self._page_of(link, language, press=press)

    async def _page_of(self, link: Link, language: str, *, press: bool) -> Page:
        now = self._clock.wall()
        used_at = await self._used_at(link)
        if used_at is not None:
            return self._refuse("used", link_words.used_page(self._told(used_at, language), language))
        if not link.is_good(now):
            return self._refuse("expired", link_words.expired_page(language))
        alert = next((one for one in self._attending().open_alerts if one.id == link.alert), None)
        if alert is None:
            self.counts["over"] += press
            return link_words.over_page(language)
        if not press:
            return link_words.question_page(link.button, self._told(alert.since, language), language)
        try:
            page = await self._give(link, alert, language)
        except WrongUseError as error:
            _log.warning("an answer is refused", contact=link.contact, button=link.button, error=str(error))
            return self._refuse("refused", link_words.refused_page(language))
        # After the answer: who is killed in between has lost no answer, and a second press of the same finds it given.
        await self._use(link, now)
        self.counts["answered"] += 1
        _log.info("answered", alert=link.alert, button=link.button, contact=link.contact)
        return page

    async def _give(self, link: Link, alert: Alert, language: str) -> Page:
        request: dict[str, Any] = {"do": str(link.button), "alert": alert.id, "by": link.contact}
        if link.button is Button.SNOOZE:
            request["seconds"] = SNOOZE_S
        said = await self._attending().answer(request)
        if said.get("already") and link.button is Button.ACKNOWLEDGE:
            by, at = alert.acknowledged_by, alert.acknowledged_at
            names = {contact.id: contact.name or contact.id for contact in self._contacts()}
            who = None if by == link.contact else names.get(by or "", by)
            return link_words.already_page(who, "" if at is None else self._told(at, language), language)
        return link_words.done_page(link.button, self._told(self._clock.wall() + SNOOZE_S, language), language)

    async def _used_at(self, link: Link) -> float | None:
        """When a link was pressed, as far as the disk tells: an answer that is given twice does no harm."""
        if link.nonce in self._used_unstored:
            return self._used_unstored[link.nonce]
        try:
            return await self._recorder.call(self._store.links.used_at, link.nonce)
        except StoreError as error:
            _log.error("it cannot be known whether a link was used", error=str(error))
            return None

    async def _use(self, link: Link, now: float) -> None:
        try:
            await self._recorder.call(self._store.links.use, link.nonce, float(link.expires), now)
        except StoreError as error:
            _log.error("a used link is kept in memory", error=str(error))
            self._used_unstored[link.nonce] = now

    async def _home_key(self) -> bytes:
        async with self._opening:  # of two that make a key the later would make the other's links worthless
            if self._key is None:
                self._key = await asyncio.to_thread(links.home_key, self._folder)
            return self._key

    def _refuse(self, kind: str, page: Page) -> Page:
        """Count a link that is not good, and log it unless many are."""
        self.counts[kind] += 1
        now = self._clock.monotonic()
        self._logged = [at for at in self._logged if now - at < LOGGED_EVERY_S]
        if len(self._logged) < MOST_LOGGED:
            self._logged.append(now)
            last = len(self._logged) == MOST_LOGGED
            _log.warning("a link is refused", kind=kind, more_are_only_counted=last, **self.counts)
        return page

    @property
    def _languages(self) -> Mapping[str, str]:
        return {contact.id: contact.language for contact in self._contacts()}

    def _common_language(self) -> str:
        """In which language a link is refused of which nobody knows whose it is: in the one that most here speak."""
        spoken = Counter(self._languages.values()).most_common(1)
        return spoken[0][0] if spoken else ENGLISH

    def _told(self, moment: float, language: str) -> str:
        return clock_time(moment, self._clock.wall(), None, language)
