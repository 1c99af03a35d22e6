"""What other programs of the household may read over HTTP, with a token of their own: the status, and the alerts."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import structlog

from edge.errors import HearthbeatError
from edge.pipeline import alert_fields
from edge.recorder import Recorder
from edge.settings.contacts import read_secret
from edge.store.store import Store

# Alerts that are handed out, the newest. Our choice: weeks of a household.
MOST_ALERTS: Final = 100
# A shorter token is no secret: 32 characters of a hexadecimal one are 128 bits. Our choice.
SHORTEST_TOKEN: Final = 32

_log = structlog.get_logger("api")


class WebApi:
    """Reads for whoever brings the token that stands in `token_file`; there is nothing to read where that is None.

    The file is read at each question, so that another token counts at once. `snapshot` is what `hearthbeat status`
    tells.
    """

    def __init__(
        self,
        token_file: Path | None,
        store: Store,
        recorder: Recorder,
        snapshot: Callable[[], Awaitable[Mapping[str, Any]]],
    ) -> None:
        self._token_file = token_file
        self._store = store
        self._recorder = recorder
        self._snapshot = snapshot

    async def read(self, what: str, token: str) -> Mapping[str, Any]:
        """An HTTP `status`, and the `body` where that is 200: of "status" or "alerts". Raises StoreError."""
        if self._token_file is None or what not in ("status", "alerts"):
            return {"status": HTTPStatus.NOT_FOUND, "body": None}
        if not await asyncio.to_thread(self._is_right, self._token_file, token):
            return {"status": HTTPStatus.UNAUTHORIZED, "body": None}
        if what == "status":
            return {"status": HTTPStatus.OK, "body": await self._snapshot()}
        alerts = await self._recorder.call(self._store.alerts.alerts, MOST_ALERTS)
        return {"status": HTTPStatus.OK, "body": {"alerts": [alert_fields(alert) for alert in alerts]}}

    def _is_right(self, path: Path, token: str) -> bool:
        try:
            right = read_secret(path)
        except HearthbeatError as error:
            _log.error("nobody can read the API", error=str(error))
            return False
        if len(right) < SHORTEST_TOKEN:
            _log.error("nobody can read the API", error=f"{path}: the token has less than {SHORTEST_TOKEN} characters")
            return False
        return hmac.compare_digest(right.encode(), token.encode())
