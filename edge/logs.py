"""The log: one line an event, for people or as JSON, on standard error; systemd keeps it."""

from __future__ import annotations

import logging
import sys

import structlog

from edge.settings.home import LogSettings


def set_up_logs(settings: LogSettings) -> None:
    """Write structlog's lines in the form and from the level that the settings ask for."""
    as_json = settings.format == "json"
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=as_json),
            structlog.processors.dict_tracebacks if as_json else structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
