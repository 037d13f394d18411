"""Errors that a runtime may raise: the status decides what the client hears."""

from __future__ import annotations

from typing import Optional


class MLServerError(Exception):
    """`status_code` is an HTTP status; gRPC's code follows from it."""

    def __init__(self, msg: str, status_code: int = 400) -> None:
        super().__init__(msg)
        self.status_code = status_code


class InvalidModelURI(MLServerError):
    def __init__(self, name: str, model_uri: Optional[str] = None) -> None:
        given = f" ({model_uri})" if model_uri else ""
        super().__init__(f"Invalid URI specified for model {name}{given}", 422)


class ModelNotFound(MLServerError):
    def __init__(self, name: str, version: Optional[str] = None) -> None:
        super().__init__(f"Model {_named(name, version)} not found", 404)


class ModelNotReady(MLServerError):
    def __init__(self, name: str, version: Optional[str] = None) -> None:
        super().__init__(f"Model {_named(name, version)} is not ready yet.", 400)


class InferenceError(MLServerError):
    def __init__(self, msg: str) -> None:
        super().__init__(msg, 400)


class ModelParametersMissing(MLServerError):
    def __init__(self, model_name: str) -> None:
        super().__init__(f"Parameters missing for model {model_name}", 400)


def _named(name: str, version: Optional[str]) -> str:
    return name if version is None else f"{name} with version {version}"
