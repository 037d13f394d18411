"""The logger of runtimes; its lines go into the server's log."""

from __future__ import annotations

import logging

LoggerName = "mlserver"
logger = logging.getLogger(LoggerName)


def get_logger() -> logging.Logger:
    return logger
