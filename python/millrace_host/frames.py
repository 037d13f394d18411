"""Frames: the bytes between the server and a host. The format is told in `src/ipc/frame.ts`."""

from __future__ import annotations

import struct
from typing import Callable, Optional

PROTOCOL_VERSION = 1
HEADER = struct.Struct("<IIBBxx")
# With the length of the head, of a message of one frame.
HEADER_AND_HEAD = struct.Struct("<IIBBxxI")
UINT32 = struct.Struct("<I")
MAX_PAYLOAD_BYTES = 256 * 1024
FLAG_FIRST = 1
FLAG_LAST = 2

# server to host
HELLO, LOAD, UNLOAD, INFER, OPEN, PUSH, HALF_CLOSE, CREDIT, ABORT, PING, PAUSE = range(1, 12)
LOG = 13
# host to server
WELCOME, LOADED, RESPONSE, REQUEST_ERROR, TAKEN, END, PONG = range(32, 39)
METRICS = 41


def padded(size: int) -> int:
    return (size + 7) & ~7


class _Partial:
    """A message of which not all frames have come."""

    __slots__ = ("type", "body", "filled")

    def __init__(self, kind: int, size: int) -> None:
        self.type = kind
        self.body = bytearray(size)
        self.filled = 0


class FrameError(Exception):
    """The bytes are not frames: the connection is beyond repair."""


class Inbox:
    """Bytes in any pieces to whole messages."""

    def __init__(self, on_message: Callable[[int, int, memoryview], None]) -> None:
        self._on_message = on_message
        self._partials: dict[int, _Partial] = {}
        self._rest = b""

    def receive(self, chunk: bytes) -> None:
        """Takes what was read. Raises FrameError."""
        data = self._rest + chunk if self._rest else chunk
        at, end, view = 0, len(data), memoryview(data)
        while end - at >= HEADER.size:
            length, channel, kind, flags = HEADER.unpack_from(data, at)
            if length > MAX_PAYLOAD_BYTES:
                raise FrameError(f"frame of {length} bytes, at most {MAX_PAYLOAD_BYTES} expected")
            if end - at < HEADER.size + length:
                break
            at += HEADER.size
            self._frame(kind, channel, flags, view[at : at + length])
            at += length
        self._rest = data[at:]

    def _frame(self, kind: int, channel: int, flags: int, payload: memoryview) -> None:
        if flags & FLAG_FIRST and flags & FLAG_LAST:
            self._on_message(kind, channel, payload)
            return
        if flags & FLAG_FIRST:
            (total,) = UINT32.unpack_from(payload)
            payload = payload[4:]
            partial = self._partials[channel] = _Partial(kind, total)
        else:
            found: Optional[_Partial] = self._partials.get(channel)
            if found is None:
                raise FrameError(f"continuation on channel {channel} without a first frame")
            partial = found
        filled = partial.filled + len(payload)
        if filled > len(partial.body):
            raise FrameError(f"message longer than its {len(partial.body)} bytes")
        partial.body[partial.filled : filled] = payload
        partial.filled = filled
        if flags & FLAG_LAST:
            del self._partials[channel]
            if filled != len(partial.body):
                raise FrameError(f"message of {filled} bytes, {len(partial.body)} announced")
            self._on_message(partial.type, channel, memoryview(partial.body))
