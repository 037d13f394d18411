"""Routes of a model's own."""

from __future__ import annotations

from typing import Any, Callable


class CustomHandler:
    """What `custom_handler` marks a method with."""

    def __init__(self, rest_path: str, rest_method: str = "POST") -> None:
        self.rest_path = rest_path
        self.rest_method = rest_method


def custom_handler(rest_path: str, rest_method: str = "POST") -> Callable[[Any], Any]:
    """Marks a method, which answers requests to that path on the port of REST."""

    def mark(method: Any) -> Any:
        method.__custom_handler__ = CustomHandler(rest_path, rest_method)
        return method

    return mark
