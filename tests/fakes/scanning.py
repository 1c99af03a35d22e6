"""A scanner backend for bleak that a test moves by hand, through bleak's own callbacks."""

from __future__ import annotations

from typing import ClassVar

from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner


class HandScanner(BaseBleakScanner):
    """Subclass it in a test, so that `running`, `starts` and `failures` are that test's own.

    `starts` holds "active" or "passive" for every scan that was to start.
    """

    running: ClassVar[set[HandScanner]]
    starts: ClassVar[list[str]]
    failures: ClassVar[list[Exception]]

    def __init_subclass__(cls) -> None:
        cls.running, cls.starts, cls.failures = set(), [], []

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        **_options: object,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._mode = scanning_mode

    async def start(self) -> None:
        self.starts.append(self._mode)
        if self.failures:
            raise self.failures.pop(0)
        self.running.add(self)

    async def stop(self) -> None:
        self.running.discard(self)

    @classmethod
    def advertise(cls, address: str) -> None:
        """Let `address` be heard by whoever scans."""
        for scanner in cls.running:
            data = AdvertisementData(None, {}, {}, [], None, -60, ())
            scanner.call_detection_callbacks(scanner.create_or_update_device(address, address, None, None, data), data)
