"""Tensors in shared memory: their files are read and written here, as `src/shared-memory/` does it in the other hosts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, List, NamedTuple

from .errors import HostError

if TYPE_CHECKING:
    from .codec import Request, Response


class Shared(NamedTuple):
    """Bytes of a region: its name, the file, the file's device and inode, and where in it."""

    region: str
    path: str
    file_id: str
    start: int
    size: int


def read_inputs(request: "Request") -> None:
    """Reads the inputs that are in shared memory. Raises HostError where their bytes are not there, or are no BYTES."""
    for tensor in request.inputs:
        if tensor.shared is not None:
            tensor.data = _read(tensor.shared)
            tensor.shared = None
            if tensor.datatype == "BYTES":
                _check_strings(tensor.name, tensor.data, tensor.shape)


def write_outputs(request: "Request", response: "Response") -> None:
    """Writes the outputs that are wanted in shared memory; they have no data afterwards."""
    for tensor in response.outputs:
        shared = request.shared_outputs.get(tensor.name)
        if shared is None:
            continue
        size = len(tensor.data)
        if size > shared.size:
            text = (
                f"shared memory size specified with the request for output '{tensor.name}' ({shared.size} bytes) "
                f"should be at least {size} bytes to hold the results"
            )
            raise HostError("REGION_INVALID", text, code="INTERNAL")
        _write(shared, tensor.data)
        tensor.data = b""


def _read(shared: Shared) -> bytearray:
    data = bytearray(shared.size)
    view = memoryview(data)
    fd = _open(shared, os.O_RDONLY)
    try:
        at = 0
        while at < shared.size:
            count = os.preadv(fd, [view[at:]], shared.start + at)
            if count == 0:
                raise _shrunk(shared)
            at += count
    finally:
        os.close(fd)
    return data


def _write(shared: Shared, data: "bytes | bytearray | memoryview") -> None:
    view = memoryview(data).cast("B")
    fd = _open(shared, os.O_RDWR)
    try:
        if os.fstat(fd).st_size < shared.start + len(view):
            raise _shrunk(shared)
        at = 0
        while at < len(view):
            at += os.pwrite(fd, view[at:], shared.start + at)
    finally:
        os.close(fd)


def _open(shared: Shared, flags: int) -> int:
    try:
        fd = os.open(shared.path, flags)
    except OSError:
        raise _cannot_open(shared) from None
    stat = os.fstat(fd)
    if f"{stat.st_dev}:{stat.st_ino}" != shared.file_id:
        os.close(fd)
        raise _cannot_open(shared)
    return fd


def _check_strings(name: str, data: bytearray, shape: List[int]) -> None:
    """What `src/tensor/bytes.ts` checks."""
    expected = 1
    for dim in shape:
        expected *= dim
    at = 0
    elements = 0
    while at < len(data):
        if elements == expected:
            text = f"unexpected number of string elements {expected + 1} for inference input '{name}', expecting {expected}"
            raise HostError("MALFORMED_BYTES", text)
        left = len(data) - at
        if left < 4:
            text = f"incomplete string length indicator for inference input '{name}', expecting 4 bytes but only {left} bytes available"
            raise HostError("MALFORMED_BYTES", text)
        length = int.from_bytes(data[at : at + 4], "little")
        at += 4
        if len(data) - at < length:
            text = (
                f"incomplete string data for inference input '{name}', expecting string of length {length} "
                f"but only {len(data) - at} bytes available"
            )
            raise HostError("MALFORMED_BYTES", text)
        at += length
        elements += 1
    if elements != expected:
        raise HostError(
            "MALFORMED_BYTES", f"expected {expected} string elements for inference input '{name}', got {elements}"
        )


def _cannot_open(shared: Shared) -> HostError:
    return HostError("REGION_INVALID", f"Unable to open shared memory region: '{shared.region}'", code="INTERNAL")


def _shrunk(shared: Shared) -> HostError:
    text = f"shared memory region '{shared.region}' is shorter than when it was registered"
    return HostError("REGION_INVALID", text)
