"""The host's end of the protocol: messages to calls of servables, and what they answer to messages."""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import socket
from typing import Any, Dict, List, Optional, Sequence

from . import frames
from .codec import Buffer, Request, Response, open_body, read_error, write_error, write_response
from .connection import Connection
from .errors import HostError
from .head import HeadReader, HeadWriter
from .logs import Log
from .metrics import gathering
from .node import load_node
from .servable import load_servable
from .session import Session
from .shared import read_inputs, write_outputs
from .text import json_text


class HostServer:
    """Everything that one process serves."""

    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop, log: Log, on_lost: Any) -> None:
        self._loop = loop
        # Responses that a stream may make before it is known that its client reads them.
        self._look_ahead = 1
        # Of the load under way; 0: for ever.
        self._load_limit_s: Optional[float] = None
        gathering.connect(loop, self._send_metrics)
        self._log = log
        self._loaded: Dict[int, Any] = {}
        self._unary: Dict[int, "asyncio.Task[None]"] = {}
        self._sessions: Dict[int, Session] = {}
        # Loads happen one after another, and are undone in the same order.
        self._loading: "asyncio.Queue[Any]" = asyncio.Queue()
        self._loader = loop.create_task(self._load_all())
        self._tasks: "set[asyncio.Task[Any]]" = set()
        self.closed: "asyncio.Future[Optional[Exception]]" = loop.create_future()
        self._connection = Connection(sock, loop, self._receive, self._close, on_lost, self._longest_block_s, self._end_blocked)

    async def stop(self) -> None:
        """The server is gone: everything ends."""
        self._loader.cancel()
        for task in list(self._unary.values()):
            task.cancel()
        for session in list(self._sessions.values()):
            session.abort()
        await asyncio.gather(*(loaded.close() for loaded in self._loaded.values()), return_exceptions=True)

    def send(
        self, kind: int, channel: int, head: HeadWriter, tensors: Sequence[Buffer] = (), may_wait: bool = False
    ) -> None:
        """As of `Connection.send`."""
        self._connection.send(kind, channel, head, tensors, may_wait)

    @property
    def flushed_s(self) -> float:
        """When the last messages left."""
        return self._connection.flushed_s

    def is_turn_over(self, now_s: float) -> bool:
        """Whether code that never waits has kept the event loop for long enough."""
        return self._connection.is_turn_over(now_s)

    def forget(self, channel: int) -> None:
        """A session has ended."""
        self._sessions.pop(channel, None)

    def fault(self, error: BaseException, servable: str) -> HostError:
        """What the client hears of an error that is not ours; the log has it whole."""
        if isinstance(error, HostError):
            return error
        self._log.failure("fault in a Python host", error, servable=servable)
        return HostError("INTERNAL", "internal error; the server log has the details")

    def end(self, channel: int, error: Optional[HostError]) -> None:
        """The last message of a call, load or session."""
        head = HeadWriter()
        head.byte(0 if error is None else 1)
        if error is not None:
            write_error(head, error)
        self.send(frames.END, channel, head, may_wait=error is None)

    def _longest_block_s(self) -> float:
        if self._load_limit_s is not None:
            return self._load_limit_s
        return min((each.call_deadline_s for each in list(self._loaded.values()) if each.call_deadline_s), default=0.0)

    def _end_blocked(self, limit_s: float) -> None:
        """Only the process's end ends a call that does not return. The log is told where it is."""
        if self._load_limit_s is None:
            text = f"a call of its code did not return within {limit_s * 1000:g} ms (call_deadline_ms)"
        else:
            text = f"loading did not return within {limit_s * 1000:g} ms (load_timeout_ms)"
        faulthandler.dump_traceback(all_threads=True)
        os.write(2, f"{text}\n".encode())
        os._exit(4)

    def _close(self, cause: Optional[Exception]) -> None:
        if not self.closed.done():
            self.closed.set_result(cause)

    def _receive(self, kind: int, channel: int, body: memoryview) -> None:
        head, tensors_at = open_body(body)
        session = self._sessions.get(channel)
        if kind == frames.CREDIT:
            if session is not None:
                session.credit(head.varint(), head.varint())
        elif kind == frames.PAUSE:
            if session is not None:
                session.pause()
        elif kind == frames.PUSH:
            if session is not None:
                self._push(session, Request(body, head, tensors_at))
        elif kind == frames.INFER:
            load_id = head.varint()
            head.varint()  # when it was asked for
            request = Request(body, head, tensors_at)
            self._unary[channel] = self._start(self._infer(channel, load_id, request))
        elif kind == frames.OPEN:
            self._open(channel, body, head, tensors_at)
        elif kind == frames.HALF_CLOSE:
            if session is not None:
                session.half_close()
        elif kind == frames.ABORT:
            self._abort(channel, read_error(head))
        elif kind == frames.UNLOAD:
            self._loading.put_nowait(head.varint())
        elif kind == frames.LOAD:
            question = json.loads(head.string())
            self._loading.put_nowait((channel, question["loadId"], question["spec"]))
        elif kind == frames.LOG:
            self._log.set(json.loads(head.string()))
        elif kind == frames.HELLO:
            self._hello(channel, json.loads(head.string()))

    def _push(self, session: Session, request: Request) -> None:
        try:
            read_inputs(request)
        except HostError as error:
            session.refuse(request, error)
        else:
            session.push(request)

    def _abort(self, channel: int, error: HostError) -> None:
        self._connection.withdraw(channel)
        task = self._unary.pop(channel, None)
        if task is not None:
            task.cancel()
        session = self._sessions.pop(channel, None)
        if session is not None:
            session.abort()

    def _hello(self, channel: int, hello: Dict[str, Any]) -> None:
        if hello["protocol"] != frames.PROTOCOL_VERSION:
            text = f"Python host protocol {frames.PROTOCOL_VERSION}, the server speaks {hello['protocol']}"
            self.end(channel, HostError("INTERNAL", text))
            return
        self._look_ahead = hello["settings"].get("streamLookAhead") or 1
        self._reply(frames.WELCOME, channel, {})

    def _send_metrics(self, load_id: int, updates: List[Dict[str, Any]]) -> None:
        head = HeadWriter()
        head.varint(load_id)
        head.string(json_text(updates))
        self.send(frames.METRICS, 0, head)

    def _reply(self, kind: int, channel: int, answer: Dict[str, Any]) -> None:
        head = HeadWriter()
        head.string(json_text(answer))
        self.send(kind, channel, head)

    async def _load_all(self) -> None:
        while True:
            wanted = await self._loading.get()
            if isinstance(wanted, int):
                loaded = self._loaded.pop(wanted, None)
                gathering.loads = list(self._loaded)
                if loaded is not None:
                    self._start(loaded.close())
                continue
            channel, load_id, spec = wanted
            self._load_limit_s = (spec.get("loadTimeoutMs") or 0) / 1000
            try:
                load = load_node if spec["kind"] == "python_node" else load_servable
                loaded: Any = await load(load_id, spec, self._log)
                self._loaded[load_id] = loaded
                gathering.loads = list(self._loaded)
                self._reply(frames.LOADED, channel, loaded.description)
            except BaseException as error:  # noqa: BLE001 - a load that fails is answered, the next one is done
                if self.closed.done():
                    return
                self.end(channel, self.fault(error, spec["name"]))
            finally:
                self._load_limit_s = None
            # Should the next load end this process, the server must know that this one did not.
            self._connection.flush()

    def _find(self, load_id: int) -> Any:
        loaded = self._loaded.get(load_id)
        if loaded is None:
            raise HostError("SERVABLE_NOT_READY", "the servable was unloaded")
        return loaded

    async def _infer(self, channel: int, load_id: int, request: Request) -> None:
        try:
            loaded = self._find(load_id)
            read_inputs(request)
            response = await loaded.infer(request)
            write_outputs(request, response)
            head = HeadWriter()
            head.varint(0)
            tensors = write_response(head, response)
            self.send(frames.RESPONSE, channel, head, tensors)
        except asyncio.CancelledError:
            # Not the client's doing: its calls are forgotten first.
            loaded = self._loaded.get(load_id)
            if channel in self._unary and loaded is not None:
                self.end(channel, loaded.cancelled())
        except BaseException as error:  # noqa: BLE001 - any fault ends the call and nothing else
            self.end(channel, self.fault(error, request.servable))
        finally:
            self._unary.pop(channel, None)

    def _open(self, channel: int, body: memoryview, head: HeadReader, tensors_at: int) -> None:
        load_id = head.varint()
        limits = head.varint(), head.varint()
        first = Request(body, head, tensors_at)
        try:
            loaded = self._find(load_id)
        except HostError as error:
            self.end(channel, error)
            return
        session = Session(self, channel, limits, self._look_ahead, loaded, first)
        self._sessions[channel] = session
        session.start(self._loop)

    def respond(
        self,
        channel: int,
        response: Response,
        latency_us: Optional[int],
        previous_us: Optional[int],
        may_wait: bool,
    ) -> None:
        """A response of a session; `may_wait` as of `Connection.send`. Raises TypeError where a parameter cannot be sent."""
        head = HeadWriter()
        head.varint(0 if latency_us is None else latency_us + 1)
        if latency_us is not None:
            head.varint(0 if previous_us is None else previous_us + 1)
        tensors = write_response(head, response)
        self.send(frames.RESPONSE, channel, head, tensors, may_wait)

    def _start(self, coroutine: Any) -> "asyncio.Task[Any]":
        task = self._loop.create_task(coroutine)
        # The loop keeps only weak references.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
