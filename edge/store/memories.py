"""What the profiles must know of their wearables after a restart."""

from __future__ import annotations

import json
from collections.abc import Sequence

from edge.readings import Memory
from edge.store.connection import Connection


class Memories:
    """The table `memories`: one row per wearable and profile."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, memories: Sequence[Memory]) -> None:
        """Store `memories` inside the caller's transaction; of several for one device and profile the last one."""
        self._connection.execute_many(
            "INSERT OR REPLACE INTO memories VALUES (?, ?, ?)",
            ((memory.device, memory.profile, json.dumps(dict(memory.values))) for memory in memories),
        )

    def of(self, device: str) -> dict[str, dict[str, float]]:
        """The memory of each profile of a wearable, by the profile's name; empty when there is none yet."""
        rows = self._connection.rows("SELECT profile, memory FROM memories WHERE device = ?", (device,))
        return {profile: json.loads(memory) for profile, memory in rows}
