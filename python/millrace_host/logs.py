"""The log: JSON lines on standard output, as the server's other processes write them; users' `print` goes into them too."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
import traceback
from datetime import datetime, timezone
from typing import Any, Dict, Optional

_LEVELS = {"debug": 10, "info": 20, "warn": 30, "error": 40}
_NAMES = {10: "debug", 20: "info", 30: "warn", 40: "error", 50: "error"}
_MAX_LINE_CHARS = 32 * 1024


def _level_name(level: int) -> str:
    return _NAMES[max(10, min(50, level // 10 * 10))]


class Log:
    """Writes lines of JSON; each is one write, so that those of several processes do not mix."""

    def __init__(self, level: str, fd: int = 1) -> None:
        threshold = _LEVELS.get(level, 60 if level in ("fatal", "silent") else 10)
        self._levels = {name for name, number in _LEVELS.items() if number >= threshold}
        self._fd = fd

    def set(self, settings: Dict[str, Any]) -> None:
        """What is written from now on: `LogSettings` of `src/base/logger.ts`."""
        is_on = {
            "debug": settings["verboseLevel"] > 0,
            "info": settings["info"],
            "warn": settings["warning"],
            "error": settings["error"],
        }
        self._levels = {name for name, on in is_on.items() if on}

    def write(self, level: str, message: str, **fields: Any) -> None:
        if level not in self._levels:
            return
        time = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"level": level, "time": time, "pid": os.getpid(), **fields, "msg": message[:_MAX_LINE_CHARS]}
        data = (json.dumps(line, default=str) + "\n").encode()
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            pass  # nobody reads the log any more

    def failure(self, message: str, error: BaseException, **fields: Any) -> None:
        """An error with its traceback, which only the log sees."""
        stack = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.write("error", message, **fields, error=f"{type(error).__name__}: {error}", stack=stack[-_MAX_LINE_CHARS:])


class LineWriter(io.TextIOBase):
    """What users print, a log entry per line."""

    def __init__(self, log: Log, level: str, stream: str) -> None:
        self._log = log
        self._level = level
        self._stream = stream
        self._lock = threading.Lock()
        self._rest = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with self._lock:
            *lines, rest = (self._rest + text).split("\n")
            if len(rest) > _MAX_LINE_CHARS:
                lines.append(rest)
                rest = ""
            self._rest = rest
        for line in lines:
            if line.strip():
                self._log.write(self._level, line, stream=self._stream)
        return len(text)

    def flush(self) -> None:
        with self._lock:
            rest, self._rest = self._rest, ""
        if rest.strip():
            self._log.write(self._level, rest, stream=self._stream)


class _Handler(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._write(record)
        except Exception:  # noqa: BLE001 - as logging's own handlers: a bad call of it fails nothing else
            self.handleError(record)

    def _write(self, record: logging.LogRecord) -> None:
        fields = {"logger": record.name}
        servable = _servable_of(record)
        if servable:
            fields["servable"] = servable
        if record.exc_info and record.exc_info[0] is not None:
            fields["stack"] = "".join(traceback.format_exception(*record.exc_info))[-_MAX_LINE_CHARS:]
        self._log.write(_level_name(record.levelno), record.getMessage(), **fields)


def _servable_of(record: logging.LogRecord) -> Optional[str]:
    context = sys.modules.get("mlserver.context")
    variable = getattr(context, "model_name_var", None)
    return variable.get(None) if variable is not None else None


def install(log: Log) -> None:
    """Sends `print` and the `logging` module to the log. Standard error stays: the server keeps its last lines."""
    sys.stdout = LineWriter(log, "info", "stdout")  # type: ignore[assignment]
    logging.getLogger().addHandler(_Handler(log))
    logging.getLogger().setLevel(logging.INFO)
    # They tell that a selector is used, and the like.
    logging.getLogger("asyncio").setLevel(logging.WARNING)
