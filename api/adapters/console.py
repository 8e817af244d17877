"""A developer's console: where mails and texts go when no provider is set."""

from __future__ import annotations

import logging
import sys


class _StandardOutput(logging.StreamHandler):  # type: ignore[type-arg]
    """Write to whatever standard output is at the moment, which tests and servers replace."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stdout
        super().emit(record)


def console(name: str) -> logging.Logger:
    """Return a logger that writes bare lines to standard output, links and numbers in full; a repeat is safe.

    It stays apart from the service's own log, whose lines must hold no such things.
    """
    logger = logging.getLogger(f"console.{name}")
    if not logger.handlers:
        logger.addHandler(_StandardOutput())
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return logger
