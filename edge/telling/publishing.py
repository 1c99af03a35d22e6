"""The outbox's way to the broker, as the settings have it: the publisher, kept alive."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloud_sync.broker import Broker
from cloud_sync.keeper import Keeper
from cloud_sync.publisher import Publisher
from edge.clock import Clock
from edge.settings.home import Settings

if TYPE_CHECKING:
    from cloud_sync.inbox import Inbox  # where no key is trusted, nothing of it is loaded


def keep_publishing(
    settings: Settings,
    store_path: Path,
    clock: Clock,
    chance: random.Random,
    inbox: Inbox | None,
    give_way: Callable[[], None],
) -> Keeper | None:
    """Start to publish, if there is a broker; `inbox` takes what comes back, `give_way` lets others go first."""
    if settings.broker is None:
        return None
    broker = Broker(**settings.broker.connection, receipts=settings.broker.receipts)
    keeper = Keeper(
        partial(
            Publisher,
            broker,
            store_path,
            settings.home.id,
            clock=clock,
            chance=chance,
            inbox=inbox,
            give_way=give_way,
        )
    )
    keeper.start()
    return keeper


def broker_fields(keeper: Keeper | None) -> Mapping[str, Any]:
    """For `hearthbeat status`: how the connection is, and what is wrong with it."""
    if keeper is None:
        return {"state": "not configured", "error": None}
    state = keeper.state()
    return {"state": "connected" if state.connected else "not connected", "error": state.error or state.complaint}
