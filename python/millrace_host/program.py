"""Puts the parts of a host process together."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import socket
import sys
import threading
from typing import Any

from .logs import Log, install
from .server import HostServer

_STOP_S = 5.0


def run() -> None:
    """Serves until the server closes the socket; then the process ends."""
    _stay()
    faulthandler.enable()
    sock = socket.socket(fileno=3)
    os.set_inheritable(3, False)
    log = Log(os.environ.get("MILLRACE_HOST_LOG_LEVEL", "info"))
    install(log)
    loop = _new_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(_serve(sock, log))
    sys.stdout.flush()
    # What users' threads are at is not waited for.
    os._exit(0)


def _stay() -> None:
    """
    A Ctrl-C may reach every process; when to end is the server's to say, by closing the socket. Not SIG_IGN, which what
    users' code starts would inherit: nobody could end that.
    """
    _handle_signals(lambda *_: None)
    os.register_at_fork(after_in_child=lambda: _handle_signals(signal.SIG_DFL))


def _handle_signals(handler: Any) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _new_loop() -> asyncio.AbstractEventLoop:
    """MLServer runs on uvloop; so does its users' code here, where it is installed."""
    try:
        import uvloop  # type: ignore[import-not-found]

        return uvloop.new_event_loop()
    except Exception:  # noqa: BLE001 - one that does not fit this Python
        return asyncio.new_event_loop()


async def _serve(sock: socket.socket, log: Log) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: _log_lost(log, context))
    server = HostServer(sock, loop, log, _end_soon)
    cause = await server.closed
    if cause is not None:
        log.write("error", f"the connection to the server failed: {cause}")
    await server.stop()


def _log_lost(log: Log, context: dict) -> None:  # type: ignore[type-arg]
    """An error in a task or callback that nobody waits for: users' code made it."""
    error = context.get("exception")
    if isinstance(error, BaseException):
        log.failure(str(context["message"]), error)
    else:
        log.write("error", str(context["message"]))


def _end_soon() -> None:
    """The server is gone. Users' code that does not end is not waited for longer."""
    timer = threading.Timer(_STOP_S, os._exit, (1,))
    timer.daemon = True
    timer.start()
