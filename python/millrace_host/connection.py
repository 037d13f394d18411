"""The socket to the server.

Reading and writing happen on the event loop's own thread, which costs least. A second thread looks four times a second
whether that thread still reads; while users' code keeps it, the second one reads and writes in its place, so that a call
that computes without awaiting is not taken for a dead process, and the end of the server still ends it.
"""

from __future__ import annotations

import asyncio
import select
import socket
import threading
import time
from collections import OrderedDict, deque
from typing import Callable, Deque, List, Optional, Sequence, Tuple

from . import frames
from .codec import Buffer
from .frames import FLAG_FIRST, FLAG_LAST, HEADER, HEADER_AND_HEAD, MAX_PAYLOAD_BYTES, UINT32, padded
from .head import HeadWriter

# Asking for much costs ten times what a short read does, since CPython first makes an object of that size.
_MIN_READ_BYTES = 16 * 1024
_MAX_READ_BYTES = 256 * 1024
# Messages up to this size gather, and go out whole; longer ones frame by frame, channels taking turns.
_WHOLE_BYTES = 16 * 1024
# What has gathered goes out when it is so much, so that the server works on it while the next messages are made; and after
# so long, where one message quickly follows another.
_GATHERED_BYTES = 32 * 1024
_GATHERED_MESSAGES = 64
_HOLD_S = 0.002
_MAX_BUFFERS = 64
_LOOK_S = 0.25
_TURN_S = 0.002
_PADDING = [bytes(count) for count in range(8)]
# An empty head: its length alone, padded.
_PONG = HEADER.pack(8, 0, frames.PONG, FLAG_FIRST | FLAG_LAST) + bytes(8)

OnMessage = Callable[[int, int, memoryview], None]


class _Backlogged:
    """A long message on its way out."""

    __slots__ = ("type", "channel", "parts", "total", "sent", "offset")

    def __init__(self, kind: int, channel: int, parts: Deque[memoryview], total: int) -> None:
        self.type = kind
        self.channel = channel
        self.parts = parts
        self.total = total
        self.sent = 0
        self.offset = 0

    def next_frame(self) -> List[memoryview]:
        room = min(MAX_PAYLOAD_BYTES - 4, self.total - self.sent)
        is_first, is_last = self.sent == 0, self.sent + room == self.total
        flags = (FLAG_FIRST if is_first else 0) | (FLAG_LAST if is_last else 0)
        prefix = UINT32.pack(self.total) if is_first and not is_last else b""
        header = HEADER.pack(room + len(prefix), self.channel, self.type, flags)
        frame = [memoryview(header + prefix)]
        self.sent += room
        while room > 0:
            part = self.parts[0]
            take = min(room, len(part) - self.offset)
            frame.append(part[self.offset : self.offset + take])
            self.offset += take
            room -= take
            if self.offset == len(part):
                self.parts.popleft()
                self.offset = 0
        return frame


class Connection:
    """Messages in and out. `on_message` and `on_close` are called on the event loop's thread."""

    def __init__(
        self,
        sock: socket.socket,
        loop: asyncio.AbstractEventLoop,
        on_message: OnMessage,
        on_close: Callable[[Optional[Exception]], None],
        on_lost: Callable[[], None],
        longest_block_s: Callable[[], float],
        on_blocked: Callable[[float], None],
    ) -> None:
        """
        on_lost: as on_close, but called on any thread, also while the loop is blocked.
        longest_block_s: for how long users' code may keep the loop from running now; 0: for ever.
        on_blocked: called on the second thread with that limit when it is passed.
        """
        sock.setblocking(False)
        self._sock = sock
        self._loop = loop
        self._on_message = on_message
        self._on_close = on_close
        self._on_lost = on_lost
        self._longest_block_s = longest_block_s
        self._on_blocked = on_blocked
        self._inbox = frames.Inbox(self._arrive)
        self._reading = threading.Lock()
        self._arrived: Deque[Tuple[int, int, memoryview]] = deque()
        self._pings = 0
        self._read_bytes = _MIN_READ_BYTES
        self._writing = threading.RLock()
        # Small messages; what leaves next; and the long ones behind it.
        self._gathered: List[bytes] = []
        self._gathered_bytes = 0
        self._out: Deque[memoryview] = deque()
        self._backlog: "OrderedDict[int, Deque[_Backlogged]]" = OrderedDict()
        self._waits_to_write = False
        self._is_flush_scheduled = False
        self._scheduled_s = 0.0
        self._held_s = 0.0
        # When the last messages left.
        self.flushed_s = 0.0
        # Messages so far, and at the last turn of the loop; whether one of them must not wait.
        self._sent_count = 0
        self._seen_count = 0
        self._is_hurried = False
        self._is_closed = False
        # Reads of the loop; and since when the second thread waits for it to run.
        self._turn = 0
        self._asked_at: Optional[float] = None
        self._thread = threading.get_ident()
        loop.add_reader(sock, self._on_readable)
        threading.Thread(target=self._look_after, name="millrace-connection", daemon=True).start()

    def send(self, kind: int, channel: int, head: HeadWriter, tensors: Sequence[Buffer], may_wait: bool = False) -> None:
        """
        Sends one message; nothing after the end of the connection. The tensors must not change afterwards.
        may_wait: more messages will follow at once, so it may leave together with them, within two milliseconds.
        """
        length = len(head.buffer)
        total = padded(4 + length)
        parts: List[Buffer] = [b"", head.buffer, _PADDING[total - 4 - length]]
        for tensor in tensors:
            size = len(tensor)
            if size > 0:
                parts.append(tensor)
                parts.append(_PADDING[-size & 7])
                total += padded(size)
        with self._writing:
            queued = self._backlog.get(channel) if self._backlog else None
            # Credit for requests may overtake what is long.
            if total <= _WHOLE_BYTES and (queued is None or kind == frames.TAKEN):
                parts[0] = HEADER_AND_HEAD.pack(total, channel, kind, FLAG_FIRST | FLAG_LAST, length)
                self._gathered.append(b"".join(parts))
                self._gathered_bytes += total
            else:
                parts[0] = UINT32.pack(length)
                long = _Backlogged(kind, channel, deque(memoryview(part) for part in parts if len(part) > 0), total)
                self._backlog.setdefault(channel, deque()).append(long)
                may_wait = False
        self._schedule(may_wait)

    def _schedule(self, may_wait: bool) -> None:
        self._sent_count += 1
        if not may_wait:
            self._is_hurried = True
        is_much = self._gathered_bytes >= _GATHERED_BYTES or len(self._gathered) >= _GATHERED_MESSAGES
        if is_much and not self._waits_to_write:
            self.flush()
        if not self._is_flush_scheduled:
            self._is_flush_scheduled = True
            self._scheduled_s = self._held_s = time.monotonic()
            self._seen_count = self._sent_count - 1
            self._loop.call_soon(self._flush_soon)

    def is_turn_over(self, now_s: float) -> bool:
        """Whether something has waited for a turn of the event loop for longer than a generator may keep it."""
        return self._is_flush_scheduled and now_s - self._scheduled_s > _TURN_S

    def flush(self) -> None:
        """Hands over what the operating system takes now."""
        with self._writing:
            if self._is_closed:
                self._gathered.clear()
                self._out.clear()
                self._backlog.clear()
                return
            try:
                while self._refill():
                    if len(self._out) == 1:
                        self._sent(self._sock.send(self._out[0]))
                    else:
                        batch = [self._out[i] for i in range(min(len(self._out), _MAX_BUFFERS))]
                        self._sent(self._sock.sendmsg(batch))
            except (BlockingIOError, InterruptedError):
                pass
            except OSError:
                return  # the reader hears of it
            self.flushed_s = time.monotonic()
            self._watch_writable(bool(self._out))

    def withdraw(self, channel: int) -> None:
        """Drops the messages of a channel of which nothing was sent yet."""
        with self._writing:
            queued = self._backlog.pop(channel, None)
            under_way = deque(message for message in queued or () if message.sent > 0)
            if under_way:
                self._backlog[channel] = under_way

    def _flush_soon(self) -> None:
        """Once per turn of the loop while anything is to be sent."""
        if not self._is_hurried and self._sent_count != self._seen_count:
            now_s = time.monotonic()
            if now_s - self._held_s < _HOLD_S:
                self._seen_count = self._sent_count
                self._scheduled_s = now_s
                self._loop.call_soon(self._flush_soon)
                return
        self._is_flush_scheduled = False
        self._is_hurried = False
        self.flush()

    def _refill(self) -> bool:
        if self._gathered:
            together = self._gathered[0] if len(self._gathered) == 1 else b"".join(self._gathered)
            self._gathered.clear()
            self._gathered_bytes = 0
            self._out.append(memoryview(together))
        elif not self._out and self._backlog:
            channel, messages = self._backlog.popitem(last=False)
            self._out.extend(messages[0].next_frame())
            if messages[0].sent == messages[0].total:
                messages.popleft()
            if messages:
                self._backlog[channel] = messages
        return bool(self._out)

    def _sent(self, count: int) -> None:
        out = self._out
        while count > 0:
            first = out.popleft()
            if count < len(first):
                out.appendleft(first[count:])
                return
            count -= len(first)

    def _watch_writable(self, wanted: bool) -> None:
        if wanted == self._waits_to_write:
            return
        if threading.get_ident() != self._thread:
            return  # the other thread comes again by itself
        self._waits_to_write = wanted
        if wanted:
            self._loop.add_writer(self._sock, self.flush)
        else:
            self._loop.remove_writer(self._sock)

    def _on_readable(self) -> None:
        self._turn += 1
        cause = self._read()
        self._dispatch()
        if cause is not _OPEN:
            self._close(cause)

    def _read(self) -> Optional[Exception]:
        """Reads once. Returns _OPEN, or why the connection has ended: None is end-of-file."""
        with self._reading:
            try:
                wanted = self._read_bytes
                chunk = self._sock.recv(wanted)
                if not chunk:
                    return None
                if len(chunk) == wanted:
                    self._read_bytes = _MAX_READ_BYTES
                elif len(chunk) < _MIN_READ_BYTES:
                    self._read_bytes = _MIN_READ_BYTES
                self._inbox.receive(chunk)
                return _OPEN
            except (BlockingIOError, InterruptedError):
                return _OPEN
            except ConnectionError:
                return None  # the server died
            except (OSError, frames.FrameError) as error:
                return error

    def _arrive(self, kind: int, channel: int, body: memoryview) -> None:
        if kind == frames.PING:
            self._pings += 1
        else:
            self._arrived.append((kind, channel, body))

    def _dispatch(self) -> None:
        self._pong()
        while self._arrived:
            self._on_message(*self._arrived.popleft())

    def _pong(self) -> None:
        while self._pings > 0:
            self._pings -= 1
            with self._writing:
                self._gathered.append(_PONG)
            self.flush()

    def _close(self, cause: Optional[Exception]) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._on_lost()
        self._loop.remove_reader(self._sock)
        if self._waits_to_write:
            self._loop.remove_writer(self._sock)
        self._on_close(cause)

    def _look_after(self) -> None:
        """The second thread."""
        seen_turn = -1
        while not self._is_closed:
            time.sleep(_LOOK_S)
            longest_s = self._longest_block_s()
            asked_at = self._asked_at
            if asked_at is None:
                # Something to read that the loop has left alone since the last look; or there is a limit to be kept.
                is_left = self._turn == seen_turn and self._is_readable()
                seen_turn = self._turn
                if is_left or longest_s > 0:
                    self._asked_at = time.monotonic()
                    self._call_loop(self._answer)
                if not is_left:
                    continue
            elif 0 < longest_s < time.monotonic() - asked_at:
                self._on_blocked(longest_s)
            cause = self._read()
            self._pong()
            self.flush()
            if cause is not _OPEN:
                self._on_lost()
                return

    def _answer(self) -> None:
        """The loop runs again."""
        self._asked_at = None
        self._on_readable()
        self.flush()

    def _call_loop(self, callback: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:
            pass  # it is closed: the process ends

    def _is_readable(self) -> bool:
        try:
            return bool(select.select([self._sock], [], [], 0)[0])
        except (OSError, ValueError):
            return False


_OPEN = Exception("open")
