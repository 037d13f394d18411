"""One stream: the requests that users' code reads, the responses that it yields, credit in both directions, the end."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Deque, Dict, Optional, Tuple

from . import frames
from .codec import Request, Response, cost_of, write_error
from .errors import HostError
from .head import HeadWriter

if TYPE_CHECKING:
    from .servable import Loaded
    from .server import HostServer


# As in `src/ipc/session.ts`.
_WINDOW_GROWTH = 4
# A generator that takes longer over a response does not notice a turn of the event loop.
_QUICK_S = 0.001
# After a step of at most so long the next one is taken to be as quick, and the response before it may wait for it.
_VERY_QUICK_S = 0.0005


class Clock:
    """How long users' code has been at work without a response; not while it waits for the client."""

    def __init__(self) -> None:
        self.busy_since: Optional[float] = None

    def work(self) -> None:
        self.busy_since = time.monotonic()

    def rest(self) -> None:
        self.busy_since = None


class RequestIterator:
    """The requests of a stream, an asynchronous iterator."""

    def __init__(self, session: "Session") -> None:
        self._session = session

    def __aiter__(self) -> "RequestIterator":
        return self

    async def __anext__(self) -> Any:
        request = await self._session.next_request()
        if request is None:
            raise StopAsyncIteration
        return self._session.loaded.request(request, self._session.first)

    async def aclose(self) -> None:
        """Nothing is held by reading."""


class Session:
    """Owned by `HostServer`; all on the event loop's thread."""

    def __init__(
        self,
        server: "HostServer",
        channel: int,
        limits: Tuple[int, int],
        look_ahead: int,
        loaded: "Loaded",
        first: Request,
    ) -> None:
        self._server = server
        self._channel = channel
        self._max_messages, self._max_bytes = limits
        # How many responses may be under way now: it grows while the client reads them.
        self._look_ahead = self._window = min(look_ahead, self._max_messages)
        self._is_paused = False
        self.loaded = loaded
        self._headers = first.headers
        self._is_route = bool(first.route)
        self._task: Optional["asyncio.Task[None]"] = None
        self._requests: Deque[Tuple[Request, float]] = deque()
        self._has_all = False
        self._wake: Optional["asyncio.Future[None]"] = None
        self._room: Optional["asyncio.Future[None]"] = None
        self._owed_messages = 0
        self._owed_bytes = 0
        # The first request that was taken; the last one, when it came in, and the latency of its last response.
        self.first: Optional[Request] = None
        self.last: Optional[Request] = None
        self._last_came = 0.0
        self._last_latency_us: Optional[int] = None
        self._taken = [0, 0, 0, 0]
        self._is_taken_scheduled = False
        self._is_over = False
        self._timed_out = False
        self._clock = Clock()
        # Of the next look at it.
        self._timer: Optional[asyncio.TimerHandle] = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._task = loop.create_task(self._run())
        if self.loaded.call_deadline_s:
            self._timer = loop.call_later(self.loaded.call_deadline_s, self._look_at_clock)

    def push(self, request: Request) -> None:
        if not request.headers:
            request.headers = self._headers
        self._requests.append((request, time.monotonic()))
        _wake(self._wake)

    def refuse(self, request: Request, error: HostError) -> None:
        """The session goes on without it."""
        head = HeadWriter()
        head.string(request.id)
        write_error(head, error)
        self._server.send(frames.REQUEST_ERROR, self._channel, head)
        self._settle(request, 0, 0)

    def half_close(self) -> None:
        self._has_all = True
        _wake(self._wake)

    def abort(self) -> None:
        """Nobody listens any more: users' code is cancelled at its `await`, or closed at its `yield`."""
        self._let_go()
        if self._task is not None:
            self._task.cancel()

    def pause(self) -> None:
        """The client reads slowly: nothing more until it gives credit."""
        self._is_paused = True
        self._window = self._look_ahead

    def credit(self, messages: int, size: int) -> None:
        if not self._is_paused:
            self._window = min(self._window * _WINDOW_GROWTH, self._max_messages)
        self._is_paused = False
        self._owed_messages -= messages
        self._owed_bytes -= size
        if not self._is_full:
            _wake(self._room)

    async def next_request(self) -> Optional[Request]:
        """For users' code: waits for the client. None: it has sent all."""
        self._finish()
        while not self._requests:
            if self._has_all or self._is_over:
                return None
            self._clock.rest()
            self._wake = self._loop.create_future()
            try:
                await self._wake
            finally:
                self._wake = None
        self._clock.work()
        request, self._last_came = self._requests.popleft()
        self.last = request
        if self.first is None:
            self.first = request
        self._last_latency_us = None
        self._take(request)
        return request

    @property
    def _is_full(self) -> bool:
        return self._is_paused or self._owed_messages >= self._window or self._owed_bytes >= self._max_bytes

    async def _run(self) -> None:
        self.loaded.enter()
        error: Optional[HostError] = None
        try:
            await (self._answer_route() if self._is_route else self._answer())
        except asyncio.CancelledError:
            if not self._is_over:
                error = self.loaded.cancelled()
        except BaseException as failure:  # noqa: BLE001 - any fault ends the session and nothing else
            error = self.loaded.failure(failure)
        finally:
            self.loaded.leave()
        if self._timed_out:
            return
        if not self._is_over:
            self._end(error)

    async def _answer(self) -> None:
        responses = self.loaded.responses(RequestIterator(self))
        clock, loaded, server = self._clock, self.loaded, self._server
        is_first = True
        try:
            while True:
                if self._is_full:
                    await self._wait_for_room()
                clock.busy_since = started_s = time.monotonic()
                try:
                    answer = await responses.__anext__()
                except StopAsyncIteration:
                    return
                clock.busy_since = None
                if self._is_over:
                    return
                now_s = time.monotonic()
                # Not the time in which the server took the processor to read what was sent to it.
                took_s = now_s - max(started_s, server.flushed_s)
                may_wait = not is_first and took_s < _VERY_QUICK_S
                self._respond(loaded.response(answer, self.last, self.first), now_s, may_wait)
                # Lets it leave, and others run, also where the generator computes without awaiting. Those that are quick
                # share their turns of the loop.
                if is_first or took_s > _QUICK_S or server.is_turn_over(now_s):
                    await asyncio.sleep(0)
                is_first = False
        finally:
            clock.rest()
            await _close_generator(responses)

    async def _answer_route(self) -> None:
        """A call of a route of the model's own: the one request is the call, responses are pieces of the answer."""
        request = await self.next_request()
        if request is None:
            return
        try:
            await self.loaded.answer_route(request, self._emit)
        finally:
            self._clock.rest()

    async def _emit(self, response: Response) -> None:
        """Waits until there is room for it."""
        self._clock.rest()
        if self._is_full:
            await self._wait_for_room()
        self._respond(response, time.monotonic())
        # Lets it leave, also where the code computes without awaiting.
        await asyncio.sleep(0)
        self._clock.work()

    async def _wait_for_room(self) -> None:
        while self._is_full:
            self._room = self._loop.create_future()
            try:
                await self._room
            finally:
                self._room = None

    def _respond(self, response: Response, now_s: float, may_wait: bool = False) -> None:
        latency_us: Optional[int] = None
        previous_us = self._last_latency_us
        if self.last is not None:
            latency_us = self._last_latency_us = int((now_s - self._last_came) * 1e6)
        self._server.respond(self._channel, response, latency_us, previous_us, may_wait)
        self._owed_messages += 1
        self._owed_bytes += cost_of(response.outputs)

    def _finish(self) -> None:
        """Users' code asks for more, so the last request has all its responses, of which Triton's clients may ask to be told."""
        last = self.last
        if last is None or self._is_over or not self.loaded.description["decoupled"]:
            return
        if last.parameters.get("triton_enable_empty_final_response") is True:
            self._respond(self.loaded.final_response(last, self.first), time.monotonic())

    def _take(self, request: Request) -> None:
        self._settle(request, 1, len(request.inputs))

    def _settle(self, request: Request, accepted_now: int, packets_now: int) -> None:
        messages, size, accepted, packets = self._taken
        self._taken = [messages + 1, size + request.cost, accepted + accepted_now, packets + packets_now]
        if not self._is_taken_scheduled:
            self._is_taken_scheduled = True
            self._loop.call_soon(self._send_taken)

    def _send_taken(self) -> None:
        self._is_taken_scheduled = False
        if self._is_over or self._taken[0] == 0:
            return
        head = HeadWriter()
        for number in (*self._taken, 0, 0, 0):
            head.varint(number)
        self._taken = [0, 0, 0, 0]
        self._server.send(frames.TAKEN, self._channel, head, may_wait=True)

    def _end(self, error: Optional[HostError]) -> None:
        self._send_taken()
        self._let_go()
        self._server.end(self._channel, error)
        self._server.forget(self._channel)

    def _let_go(self) -> None:
        """It is over: whatever still refers to it holds no requests."""
        self._is_over = True
        self._requests.clear()
        self.first = self.last = None
        if self._timer is not None:
            self._timer.cancel()

    def _look_at_clock(self) -> None:
        if self._is_over or self._task is None or self._task.done():
            return
        deadline_s = self.loaded.call_deadline_s
        since = self._clock.busy_since
        left = deadline_s if since is None else since + deadline_s - time.monotonic()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look_at_clock)
            return
        self._timed_out = True
        self._end(self.loaded.timed_out())
        self._task.cancel()


async def _close_generator(responses: Any) -> None:
    close = getattr(responses, "aclose", None)
    if close is not None:
        await close()


def _wake(future: Optional["asyncio.Future[None]"]) -> None:
    if future is not None and not future.done():
        future.set_result(None)
