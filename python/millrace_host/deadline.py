"""Users' code within a time: it is cancelled past it, but not waited for, since it need not end."""

from __future__ import annotations

import asyncio
from typing import Any, Awaitable, Callable, Optional, Tuple


class DeadlinePassed(Exception):
    """What was awaited is not there in time."""


def _forget(_: "asyncio.Task[Any]") -> None:
    """Nobody asks what becomes of it."""


async def within(
    limit_s: Optional[float], call: Awaitable[Any], on_left: Callable[["asyncio.Task[Any]"], None] = _forget
) -> Any:
    """
    The value of a call of users' code, which runs in a task of its own. None: it may take for ever.
    on_left: is given the task where it goes on, cancelled: after the limit, or since this call was cancelled itself.
    Raises DeadlinePassed, and whatever the call does.
    """
    task = asyncio.ensure_future(_outcome(call))
    try:
        await asyncio.wait({task}, timeout=limit_s)
    finally:
        if not task.done():
            task.cancel()
            on_left(task)
    if not task.done():
        raise DeadlinePassed
    value, error = task.result()
    if error is not None:
        raise error
    return value


async def _outcome(call: Awaitable[Any]) -> Tuple[Any, Optional[BaseException]]:
    """Never raises: a SystemExit that leaves a task ends the event loop, and with it the process."""
    try:
        return await call, None
    except BaseException as error:  # noqa: BLE001 - whatever users' code raises
        return None, error
