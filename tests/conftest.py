"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

# A change is judged by the same examples each time; `make soak` looks for new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.register_profile("exploring", derandomize=False)
hypothesis.settings.load_profile("repeatable")

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of public recordings; the test is skipped where there is none."""
    folder = Path(os.environ.get("HEARTHBEAT_DATA", CHECKOUT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}: set HEARTHBEAT_DATA to a folder with mitdb, ltafdb and nsr2db")
    return folder


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Whoever sets the log up, sets it up for one test."""
    yield
    structlog.reset_defaults()
