"""Answers of routes that are made by generators, asynchronous or not."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import asynccontextmanager
from typing import Any, AsyncIterator, Tuple

_END = object()


def is_generator(handler: Any) -> bool:
    return inspect.isasyncgenfunction(handler) or inspect.isgeneratorfunction(handler)


async def begun(generator: Any) -> Tuple[str, AsyncIterator[bytes]]:
    """
    Waits for the first piece: what fails before it is a failure of the call. Returns the content type that it says, and all
    pieces. Raises what the generator does, and TypeError where a piece is none.
    """
    pieces = generator if hasattr(generator, "__aiter__") else _in_threads(generator)
    try:
        first = await pieces.__anext__()
    except StopAsyncIteration:
        first = b""
    kind = "text/plain; charset=utf-8" if isinstance(first, str) else "application/octet-stream"
    return kind, _all(_bytes(first), pieces)


@asynccontextmanager
async def closing(pieces: Any) -> AsyncIterator[None]:
    """Runs the generator's `finally` at the end, also of a call whose client has left."""
    try:
        yield
    finally:
        await pieces.aclose()


async def _all(first: bytes, pieces: Any) -> AsyncIterator[bytes]:
    async with closing(pieces):
        yield first
        async for piece in pieces:
            yield _bytes(piece)


async def _in_threads(generator: Any) -> AsyncIterator[Any]:
    """One that is not asynchronous may block."""
    try:
        while True:
            piece = await asyncio.to_thread(next, generator, _END)
            if piece is _END:
                return
            yield piece
    finally:
        try:
            generator.close()
        except ValueError:
            pass  # it is at work in its thread, which nothing can end


def _bytes(piece: Any) -> bytes:
    if isinstance(piece, str):
        return piece.encode()
    if isinstance(piece, (bytes, bytearray, memoryview)):
        return bytes(piece)
    raise TypeError(f"a piece of a handler's answer: {type(piece).__name__} given, str or bytes expected")
