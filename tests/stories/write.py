"""`python -m tests.stories.write [RECORDINGS] [NAME]...` writes the timelines anew, as the daemon tells them now."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from tests.conftest import CHECKOUT
from tests.stories.tales import MADE_UP, RECORDED
from tests.stories.teller import Story, timeline
from tests.stories.test_stories import TIMELINES


def _write(name: str, story: Callable[[], Story]) -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        told = asyncio.run(timeline(story(), Path(folder)))
    (TIMELINES / f"{name}.txt").write_text(told)
    print(f"{name}, {time.monotonic() - began:.1f} s\n{told}")  # noqa: T201 -- whoever writes them reads them


def main() -> None:
    """Write those that are named, or all."""
    recordings = Path(os.environ.get("HEARTHBEAT_DATA", CHECKOUT.parent / "shared" / "data"))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    wanted = sys.argv[1:] or [*MADE_UP, *RECORDED]
    for name in wanted:
        if name in MADE_UP:
            _write(name, MADE_UP[name])
        else:
            _write(name, lambda name=name: RECORDED[name](recordings))  # type: ignore[misc]


if __name__ == "__main__":
    main()
