"""Custom metrics of runtimes: `mlserver.register` and `mlserver.log`. Values gather here and go to the server's registry."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import sys
import threading
from bisect import bisect_left
from contextvars import ContextVar
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_MAX_METRICS = 100
_FLUSH_S = 0.1
# Prometheus's own.
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

# Which servable's code runs; not known in threads of users' own.
current_load: "ContextVar[int]" = ContextVar("current_load")

Send = Callable[[int, List[Dict[str, Any]]], None]


class _Gathering:
    """Of one process; there is one server at the other end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._metrics: Dict[str, "Histogram"] = {}
        # By load and name: of each bucket, how many values there were and their sum. So it is bounded while the loop is blocked.
        self._values: Dict[Tuple[int, str], Dict[int, Tuple[int, float]]] = {}
        self._is_scheduled = False
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._send: Optional[Send] = None
        self.loads: List[int] = []

    def connect(self, loop: asyncio.AbstractEventLoop, send: Send) -> None:
        self._loop, self._send = loop, send

    def histogram(self, name: str, description: str, bounds: Sequence[float] = _BOUNDS) -> "Histogram":
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"metric {name!r}: a name of letters, digits, '_' and ':' expected")
        with self._lock:
            known = self._metrics.get(name)
            if known is None:
                if len(self._metrics) >= _MAX_METRICS:
                    raise ValueError(f"metric {name}: at most {_MAX_METRICS} are taken")
                known = self._metrics[name] = Histogram(name, description, bounds)
            return known

    def record(self, metric: "Histogram", value: float) -> None:
        number = float(value)
        load_id = current_load.get(self.loads[0] if len(self.loads) == 1 else 0)
        if load_id == 0:
            from mlserver.errors import MLServerError

            raise MLServerError(f"metric {metric.name}: no model's code runs here; log it from the model's own calls", 500)
        if not math.isfinite(number):
            return metric.refuse(number)
        with self._lock:
            buckets = self._values.setdefault((load_id, metric.name), {})
            at = bisect_left(metric.bounds, number)
            count, total = buckets.get(at, (0, 0.0))
            buckets[at] = count + 1, total + number
            if self._is_scheduled or self._loop is None:
                return
            self._is_scheduled = True
        self._loop.call_soon_threadsafe(self._flush_later)

    def _flush_later(self) -> None:
        if self._loop is not None:
            self._loop.call_later(_FLUSH_S, self._flush)

    def _flush(self) -> None:
        with self._lock:
            values, self._values = self._values, {}
            self._is_scheduled = False
        by_load: Dict[int, List[Dict[str, Any]]] = {}
        for (load_id, name), buckets in values.items():
            metric = self._metrics[name]
            update = {"type": "histogram", "name": name, "help": metric.description, "bounds": metric.bounds}
            means = [metric.mean(at, *buckets[at]) for at in buckets]
            counts = [count for count, _ in buckets.values()]
            by_load.setdefault(load_id, []).append({**update, "values": means, "counts": counts})
        for load_id, updates in by_load.items():
            if self._send is not None:
                self._send(load_id, updates)


class Histogram:
    """What `register` gives. Labels are the model's name and version, which the server adds."""

    def __init__(self, name: str, description: str, bounds: Sequence[float]) -> None:
        self.name = name
        self.description = description
        self.bounds = list(bounds)
        self._has_refused = False

    def refuse(self, number: float) -> None:
        """One that is no number would spoil the sum; it is said once."""
        if not self._has_refused:
            self._has_refused = True
            logging.getLogger(__name__).warning("metric %s: %s given, a finite number expected; it is left out", self.name, number)

    def mean(self, bucket: int, count: int, total: float) -> float:
        """What stands for the values of a bucket: it is in the bucket too, whatever was rounded."""
        below = self.bounds[bucket - 1] if bucket > 0 else -sys.float_info.max
        upper = self.bounds[bucket] if bucket < len(self.bounds) else sys.float_info.max
        mean = min(total / count, upper)
        return mean if mean > below else math.nextafter(below, upper)

    def labels(self, *_: Any, **__: Any) -> "Histogram":
        return self

    def observe(self, amount: float, exemplar: Any = None) -> None:
        gathering.record(self, amount)


gathering = _Gathering()


def register(name: str, description: str) -> Histogram:
    """A histogram of that name; one that is there already comes back."""
    return gathering.histogram(name, description)


def log(**metrics: float) -> None:
    """Adds a value to each metric; one that is new is registered."""
    for name, value in metrics.items():
        gathering.record(register(name, ""), value)


def take_over(package: Any) -> None:
    """Makes the real package's `register` and `log` these: its own registry is not in the server's process."""
    for module in (package, getattr(package, "metrics", None)):
        if module is not None and getattr(module, "log", log) is not log:
            module.register = register
            module.log = log
