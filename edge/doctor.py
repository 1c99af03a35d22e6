"""`hearthbeat doctor`: looks at everything that a home needs, and says of each what is wrong and how to mend it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from cloud_sync.broker import Broker
from cloud_sync.knock import knock
from edge.alerts.house_faults import LEAST_FREE_BYTES
from edge.bluetooth.radio import ANSWER_TIMEOUT_S, Radio
from edge.bluetooth.trouble import RADIO_ERRORS, RadioStatus, radio_state, reason
from edge.clock import Clock, SystemClock, is_set, network_time
from edge.errors import BrokerError, HearthbeatError, ModelError, SettingsError, WrongUseError
from edge.notify.phone import SendingProcess
from edge.risks.catalogue import model_folders
from edge.risks.model import RiskModel
from edge.running import status
from edge.settings.contacts import contact_of
from edge.settings.home import HomeAssistantSettings, Settings, WebSettings, load_settings

_MEGABYTE: Final = 1024 * 1024


class Verdict(StrEnum):
    """What a check found; unknown where it could not look, which is no fault."""

    OK = "ok"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was found, and how to mend what is wrong."""

    name: str
    verdict: Verdict
    found: str
    mend: str | None = None

    def fields(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Doctor:
    """Examines the home that a settings file describes; `clock` and `radio` are the machine's unless given."""

    def __init__(self, config: Path, *, clock: Clock | None = None, radio: Radio | None = None) -> None:
        self._config = config
        self._clock = clock or SystemClock()
        self._radio = radio

    async def examine(self) -> AsyncIterator[Check]:
        """Each check as it is done. Without settings that can be read, nothing else can be looked at but the clock."""
        yield await self._clock_check()
        try:
            settings = load_settings(self._config)
        except SettingsError as error:
            yield _wrong("settings", error)
            return
        yield Check("settings", Verdict.OK, f"{self._config} can be read, and makes sense")
        daemon = await asyncio.to_thread(status.ask, settings.home.state_directory)
        yield self._daemon(daemon)
        yield await self._bluetooth(settings, daemon)
        for check in [*self._models(settings), *self._disk(settings)]:
            yield check
        yield await asyncio.to_thread(self._store, settings, runs=daemon is not None)
        async for check in self._contacts(settings):
            yield check
        yield await self._broker(settings)
        if settings.home_assistant is not None:
            yield await self._home_assistant(settings.home_assistant, settings.home.id)
        if settings.web is not None:
            yield await self._buttons(settings.web)
        for fault in (daemon or {}).get("open_faults", []):
            yield Check(fault["kind"], Verdict.WRONG, f"{fault['what']}: {fault['sentence']}")

    async def _clock_check(self) -> Check:
        if not is_set(self._clock):
            return Check("clock", Verdict.WRONG, "it was never set", "check the network and `timedatectl`")
        synchronised = await network_time()
        if synchronised is None:
            return Check("clock", Verdict.UNKNOWN, "it is set; nobody says whether the network keeps it right")
        if synchronised:
            return Check("clock", Verdict.OK, "the network keeps it right")
        return Check("clock", Verdict.WRONG, "no time server is heard", "`timedatectl set-ntp true`; check the network")

    def _daemon(self, answer: Mapping[str, Any] | None) -> Check:
        if answer is None:
            mend = "`systemctl start hearthbeat`; why it stopped: `journalctl -u hearthbeat`"
            return Check("daemon", Verdict.WRONG, "it does not run, or not for this user to see", mend)
        lost = len(answer["faults"]) - len(answer["open_faults"])
        if lost > 0:
            return Check("daemon", Verdict.WRONG, "; ".join(answer["faults"]), "see `hearthbeat status`")
        return Check("daemon", Verdict.OK, "it runs and answers")

    async def _bluetooth(self, settings: Settings, daemon: Mapping[str, Any] | None) -> Check:
        """The daemon's word while it runs, as two scans disturb each other; else a scan of our own."""
        if daemon is not None:
            told = daemon["bluetooth"]
            if told["why"] is None:
                return Check("bluetooth", Verdict.OK, "the daemon listens")
            return Check("bluetooth", Verdict.WRONG, told["why"], told["mend"])
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                scanner = (self._radio or Radio(settings.home.adapter)).scanner(lambda _device, _data: None)
                await scanner.start()
                await scanner.stop()
        except RADIO_ERRORS as error:
            found = RadioStatus(radio_state(error), self._clock.wall(), reason(error))
            return Check("bluetooth", Verdict.WRONG, found.why or "it fails", found.mend)
        return Check("bluetooth", Verdict.OK, "the adapter is on, and this user may listen")

    def _models(self, settings: Settings) -> list[Check]:
        try:
            folders = model_folders(settings.home.models_directory)
        except ModelError as error:
            return [_wrong("models", error)]
        checks = []
        for folder in folders:
            name = f"model {folder.name}"
            try:
                model = RiskModel.load(folder)
            except ModelError as error:
                checks.append(_wrong(name, error))
            else:
                checks.append(Check(name, Verdict.OK, f"{model.version} is whole and opens"))
        return checks

    def _disk(self, settings: Settings) -> list[Check]:
        folder = settings.home.state_directory
        try:
            free = shutil.disk_usage(folder).free
        except OSError as error:
            mend = f"create {folder}, and let the user hearthbeat write there"
            return [Check("disk", Verdict.WRONG, f"{folder}: {error.strerror}", mend)]
        left = f"{free / _MEGABYTE:,.0f} MB are free"
        if free < LEAST_FREE_BYTES:
            return [Check("disk", Verdict.WRONG, left, f"make room; {LEAST_FREE_BYTES // _MEGABYTE} MB are needed")]
        if not os.access(folder, os.W_OK | os.X_OK):
            mend = f"run this as the user that owns {folder}, or as root"
            return [Check("disk", Verdict.UNKNOWN, f"{left}, but this user may not write into {folder}", mend)]
        return [Check("disk", Verdict.OK, f"{left}, and this user may write")]

    def _store(self, settings: Settings, *, runs: bool) -> Check:
        """Whether the file is whole; one that the daemon has open is left to it, which checks it every night."""
        if runs:
            return Check("store", Verdict.OK, "the daemon has it open")
        try:
            path = status.store_path(settings)
        except WrongUseError as error:
            return Check("store", Verdict.UNKNOWN, error.what, error.mend)
        if path is None:
            return Check("store", Verdict.OK, "there is none yet; the daemon will make it")
        try:
            # Read only, and as a file that nobody changes: a doctor leaves no file of its own beside it.
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
                (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.Error as error:
            answer = str(error)
        if answer == "ok":
            return Check("store", Verdict.OK, f"{path} is whole")
        mend = "move it away, and put the newest backup in its place"
        return Check("store", Verdict.WRONG, f"{path}: {answer}", mend)

    async def _contacts(self, settings: Settings) -> AsyncIterator[Check]:
        async with SendingProcess() as phones:
            for contact in settings.contacts:
                name = f"contact {contact.id}"
                try:
                    await phones.check(contact_of(contact))
                except SettingsError as error:
                    yield _wrong(name, error)
                else:
                    what = "its URL is" if len(contact.ways) == 1 else "its URLs are"
                    yield Check(name, Verdict.OK, f"{what} understood; nothing was sent")

    async def _broker(self, settings: Settings) -> Check:
        if settings.broker is None:
            return Check("broker", Verdict.OK, "none is configured: nothing leaves the house but notifications")
        broker = Broker(**settings.broker.connection)
        try:
            await asyncio.to_thread(knock, broker, settings.home.id)
        except BrokerError as error:
            return _wrong("broker", error)
        return Check("broker", Verdict.OK, f"{broker.address} takes us")

    async def _home_assistant(self, table: HomeAssistantSettings, home: str) -> Check:
        broker = Broker(**table.connection)
        try:
            await asyncio.to_thread(knock, broker, home)
        except BrokerError as error:
            what, mend = (text.replace("[broker]", "[home_assistant]") for text in (error.what, error.mend))
            return Check("home assistant", Verdict.WRONG, f"{error.where}: {what}", mend)
        return Check("home assistant", Verdict.OK, f"its broker {broker.address} takes us")

    async def _buttons(self, web: WebSettings) -> Check:
        """Whether the web process takes connections here; whether phones reach it by its URL only they can tell."""
        address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(web.listen, web.listen)  # noqa: S104 -- nothing listens here
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                _, writer = await asyncio.open_connection(address, web.port)
            writer.close()
        except (OSError, TimeoutError):
            mend = "`sudo systemctl enable --now hearthbeat-web`; why it stopped: `journalctl -u hearthbeat-web`"
            return Check("buttons", Verdict.WRONG, f"nobody answers at port {web.port}", mend)
        return Check("buttons", Verdict.OK, f"answered at port {web.port}; open {web.url}/ on a phone to see it there")


def _wrong(name: str, error: HearthbeatError) -> Check:
    return Check(name, Verdict.WRONG, f"{error.where}: {error.what}", error.mend)
