"""A home in a process of its own, to be killed: a real store and publisher, and messages that come without end.

    python -m tests.fakes.replaying_home FOLDER PORT

The messages are the same ones in every life. `FOLDER/made` holds how many are safe in the store.
"""

from __future__ import annotations

import random
import sys
import threading
from itertools import islice
from pathlib import Path
from typing import Final

from cloud_sync import receipts_awaited
from cloud_sync.broker import Broker
from cloud_sync.fleet.traffic import Traffic
from cloud_sync.publisher import Publisher
from edge.store.store import Batch, Store

FIRST_MINUTE: Final = 29_000_000
STORE: Final = "hearthbeat.db"
MADE: Final = "made"
ENOUGH: Final = "enough"
_A_COMMIT: Final = 5
_EVERY_S: Final = 0.02


def traffic() -> Traffic:
    """What this home tells."""
    return Traffic(7, FIRST_MINUTE)


def live(folder: Path, port: int) -> None:
    """Make messages and publish them, until `FOLDER/enough` is there; then publish until killed."""
    made = folder / MADE
    count = int(made.read_text()) if made.exists() else 0
    messages = islice(traffic().messages(), count, None)
    moment = threading.Event()
    vars(receipts_awaited)["UNHEARD_WAIT_S"] = 1.0  # what nobody subscribed to goes again sooner than in life
    broker = Broker("127.0.0.1", port, tls=False, receipts=True)
    with Store(folder / STORE) as store:
        publisher = Publisher(broker, store.path, traffic().home.id, pace=0.1, chance=random.Random())
        publisher.start()
        while publisher.is_alive():
            if not (folder / ENOUGH).exists():
                # A kill between these two makes the same messages again, which changes nothing.
                store.commit(Batch(messages=list(islice(messages, _A_COMMIT))))
                count += _A_COMMIT
                written = folder / f"{MADE}.new"
                written.write_text(str(count))
                written.rename(made)
                publisher.wake()
            moment.wait(_EVERY_S)


if __name__ == "__main__":
    live(Path(sys.argv[1]), int(sys.argv[2]))
