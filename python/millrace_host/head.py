"""Heads of messages: varints, strings, parameters. The format is told in `src/ipc/codec.ts`."""

from __future__ import annotations

import json
import struct
from functools import lru_cache
from typing import Any, Dict, Mapping, Union

_INT64 = struct.Struct("<q")
_UINT64 = struct.Struct("<Q")
_FLOAT64 = struct.Struct("<d")

# Longer names are not kept.
_MAX_NAME_CHARS = 64

FALSE, TRUE, KIND_INT64, KIND_STRING, KIND_FLOAT64, KIND_UINT64, KIND_JSON = range(7)


class JsonValue:
    """A parameter that is a JSON object, array or null."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class HeadWriter:
    """Writes the head of a message."""

    __slots__ = ("buffer",)

    def __init__(self) -> None:
        self.buffer = bytearray()

    def byte(self, value: int) -> None:
        self.buffer.append(value)

    def varint(self, value: int) -> None:
        buffer = self.buffer
        while value >= 128:
            buffer.append((value & 127) | 128)
            value >>= 7
        buffer.append(value)

    def string(self, text: str) -> None:
        # A lone surrogate, which user code may produce, has no UTF-8 form.
        encoded = text.encode("utf-8", "replace")
        length = len(encoded)
        if length < 128:
            self.buffer.append(length)
        else:
            self.varint(length)
        self.buffer += encoded

    def name(self, text: str) -> None:
        """A string that comes again and again."""
        if len(text) <= _MAX_NAME_CHARS:
            self.buffer += _encoded(text)
        else:
            self.string(text)

    def strings(self, values: Mapping[str, str]) -> None:
        self.varint(len(values))
        for name, value in values.items():
            self.string(name)
            self.string(value)

    def parameters(self, parameters: Mapping[str, Any]) -> None:
        """bool, int, float and str as they are; anything else as JSON. Raises TypeError where JSON cannot say it."""
        self.varint(len(parameters))
        for name, value in parameters.items():
            self.name(name)
            self._parameter(value)

    def _parameter(self, value: Any) -> None:
        if isinstance(value, bool):
            self.byte(TRUE if value else FALSE)
        elif isinstance(value, int) and -(2**63) <= value < 2**63:
            self.byte(KIND_INT64)
            self.buffer += _INT64.pack(value)
        elif isinstance(value, int) and 0 <= value < 2**64:
            self.byte(KIND_UINT64)
            self.buffer += _UINT64.pack(value)
        elif isinstance(value, str):
            self.byte(KIND_STRING)
            self.string(value)
        elif isinstance(value, float):
            self.byte(KIND_FLOAT64)
            self.buffer += _FLOAT64.pack(value)
        else:
            plain = value.value if isinstance(value, JsonValue) else value
            text = json.dumps(plain, allow_nan=False)
            self.byte(KIND_JSON)
            self.string(text)


@lru_cache(512)
def _encoded(text: str) -> bytes:
    writer = HeadWriter()
    writer.string(text)
    return bytes(writer.buffer)


class HeadReader:
    """Reads what `HeadWriter`, or the server's twin of it, wrote."""

    __slots__ = ("_data", "_at", "_end")

    def __init__(self, data: Union[bytes, memoryview], at: int, end: int) -> None:
        self._data = data
        self._at = at
        self._end = end

    @property
    def is_at_end(self) -> bool:
        return self._at >= self._end

    def byte(self) -> int:
        value = self._data[self._at]
        self._at += 1
        return value

    def varint(self) -> int:
        byte = self._data[self._at]
        self._at += 1
        if byte < 128:
            return byte
        value, shift = byte & 127, 7
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def string(self) -> str:
        length = self.varint()
        start = self._at
        self._at += length
        return str(self._data[start : start + length], "utf-8", "replace")

    def strings(self) -> Dict[str, str]:
        return {self.string(): self.string() for _ in range(self.varint())}

    def parameters(self) -> Dict[str, Any]:
        return {self.string(): self._parameter() for _ in range(self.varint())}

    def _parameter(self) -> Any:
        kind = self.byte()
        if kind in (FALSE, TRUE):
            return kind == TRUE
        if kind == KIND_STRING:
            return self.string()
        if kind == KIND_JSON:
            return json.loads(self.string())
        at = self._at
        self._at += 8
        if kind == KIND_INT64:
            return _INT64.unpack_from(self._data, at)[0]
        if kind == KIND_FLOAT64:
            return _FLOAT64.unpack_from(self._data, at)[0]
        return _UINT64.unpack_from(self._data, at)[0]
