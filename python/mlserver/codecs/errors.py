"""Failures of codecs: the client's fault, unless it is the runtime's."""

from __future__ import annotations

from typing import Any, Iterable, Optional

from ..errors import MLServerError


class CodecError(MLServerError):
    def __init__(self, msg: str) -> None:
        super().__init__(f"There was an error encoding / decoding the payload: {msg}")


class CodecNotFound(MLServerError):
    def __init__(
        self,
        name: Optional[str] = None,
        payload_type: Optional[str] = None,
        is_input: bool = False,
        is_request: bool = False,
    ) -> None:
        level = ("input" if is_input else "output") if not is_request else ("request" if is_input else "response")
        named = "" if name is None else f" '{name}'"
        typed = "" if payload_type is None else f" of type {payload_type}"
        super().__init__(f"Codec not found for {level}{named}{typed}")


class OutputNotFound(MLServerError):
    def __init__(self, output_idx: int, output_type: type, output_hints: Iterable[Any]) -> None:
        expected = ", ".join(f"'{hint}'" for hint in output_hints) or "none"
        super().__init__(f"Unexpected output at position {output_idx} ({output_type}); expected outputs: {expected}")


class InputsNotFound(MLServerError):
    def __init__(self, inputs: Iterable[Any], input_hints: Iterable[str]) -> None:
        given = ", ".join(f"'{each.name}'" for each in inputs)
        known = ", ".join(f"'{name}'" for name in input_hints)
        super().__init__(f"Input {given} was not found; available inputs: {known}")
