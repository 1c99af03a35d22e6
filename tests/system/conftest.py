"""One home for all tests of this folder: a strap, the air, and the machine on which Hearthbeat is installed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.system.disk import disk
from tests.system.home import Home, living_in

_LAST_LINES = 60


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the machine lives."""
    return tmp_path_factory.mktemp("machine")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def home(folder: Path) -> AsyncIterator[Home]:
    """The machine has booted, and the strap's heart beats; the daemon is not yet started."""
    async with living_in(folder, disk()) as found:
        yield found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With a failure come the last lines of the machine's log."""
    report = yield
    folder = item.funcargs.get("folder")
    if report.failed and isinstance(folder, Path) and (log := folder / "console.log").exists():
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
        report.sections.append(("the machine's log", "\n".join(lines)))
    return report
