"""Logs as lines of JSON on standard error; on a terminal, for people. Tracebacks carry no values of variables."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_DETAIL = re.compile(r"\nDETAIL: .*")


def open_logs() -> None:
    """Send structlog's and the libraries' logs to standard error."""
    is_terminal = sys.stderr.isatty()
    last = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if is_terminal
        else [structlog.processors.format_exc_info, _without_rows, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)


def _without_rows(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Leave out what PostgreSQL tells of a failing row: its values are people's."""
    if "exception" in event:
        event["exception"] = _DETAIL.sub("", event["exception"])
    return event
