"""Failures with the server's names for them (`src/base/errors.ts`)."""

from __future__ import annotations

from typing import Any, Dict, Optional

# The reasons that this host gives, each with its default gRPC code.
_CODES = {
    "MALFORMED_BYTES": "INVALID_ARGUMENT",
    "SERVABLE_NOT_READY": "UNAVAILABLE",
    "DECOUPLED_UNARY": "UNIMPLEMENTED",
    "REGION_INVALID": "INVALID_ARGUMENT",
    "CALL_TIMED_OUT": "UNAVAILABLE",
    "MODEL_INVALID": "FAILED_PRECONDITION",
    "RUNTIME_FAILED": "INTERNAL",
    "INTERNAL": "INTERNAL",
}

_MAX_MESSAGE_CHARS = 8192


class HostError(Exception):
    """A failure whose message reaches the client."""

    def __init__(
        self,
        reason: str,
        message: str,
        details: Optional[Dict[str, Any]] = None,
        code: Optional[str] = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.code = code or _CODES[reason]
        self.message = message if len(message) <= _MAX_MESSAGE_CHARS else message[:_MAX_MESSAGE_CHARS] + "…"
        self.details = details or {}

    def to_json(self) -> Dict[str, Any]:
        return {"reason": self.reason, "code": self.code, "message": self.message, "details": self.details}
