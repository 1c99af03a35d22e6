"""A scanner backend for bleak that a test moves by hand, through bleak's own callbacks."""

from __future__ import annotations

from typing import ClassVar

from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner


class HandScanner(BaseBleakScanner):
    """Subclass it in a test, so that `running`, `starts` and `failures` are that test's own."""

    running: ClassVar[set[HandScanner]]
    starts: ClassVar[list[float]]
    failures: ClassVar[list[Exception]]

    def __init_subclass__(cls) -> None:
        cls.running, cls.starts, cls.failures = set(), [], []

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        *_arguments: object,
        **_options: object,
    ) -> None:
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        self.starts.append(len(self.starts))
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
