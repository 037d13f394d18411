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
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
    held = threading.local()

    def hold() -> None:
        held.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)

    def release() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, held.mask)

    def release_child() -> None:
        _handle_signals(signal.SIG_DFL)
        release()

    # One that comes to a fork at once waits until it would end it.
    os.register_at_fork(before=hold, after_in_parent=release, after_in_child=release_child)


def _handle_signals(handler: Any) -> None:
    for number in _SIGNALS:
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
