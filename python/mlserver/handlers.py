"""Routes of a model's own."""

from __future__ import annotations

from typing import Any, Callable, Tuple


def custom_handler(rest_path: str, rest_method: str = "POST") -> Callable[[Any], Any]:
    """Marks a method. Such routes are not served; the log says so when the model is loaded."""

    def mark(method: Any) -> Any:
        handler: Tuple[str, str] = (rest_path, rest_method)
        method.__custom_handler__ = handler
        return method

    return mark
