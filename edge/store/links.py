"""The links that were pressed: none counts twice (see edge.buttons.links)."""

from __future__ import annotations

from edge.store.connection import Connection


class Links:
    """The table `used_links`: one row per link that was pressed, by its nonce."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def use(self, nonce: bytes, expires: float, now: float) -> None:
        """Note that a link was pressed, which is good until `expires` (seconds since 1970 UTC)."""
        with self._connection.transaction(durable=True):
            self._connection.execute(
                "INSERT OR IGNORE INTO used_links (nonce, expires, used_at) VALUES (?, ?, ?)", (nonce, expires, now)
            )

    def used_at(self, nonce: bytes) -> float | None:
        """When a link was pressed, in seconds since 1970 UTC; None while it was not."""
        row = self._connection.row("SELECT used_at FROM used_links WHERE nonce = ?", (nonce,))
        return None if row is None else float(row[0])

    def forget_before(self, time: float) -> None:
        """Drop those that expired before `time`, inside the caller's transaction.

        Not as soon as they expire: a clock that is set back must not make a used link good again.
        """
        self._connection.execute("DELETE FROM used_links WHERE expires < ?", (time,))
