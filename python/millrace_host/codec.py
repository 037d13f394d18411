"""Requests and responses as message bodies. The format is told in `src/ipc/codec.ts`."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from .errors import HostError
from .frames import UINT32, padded
from .head import HeadReader, HeadWriter
from .shared import Shared

DATATYPES = (
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "BF16",
    "FP32",
    "FP64",
    "BYTES",
)
_INDEX = {datatype: index for index, datatype in enumerate(DATATYPES)}

Buffer = Union[bytes, bytearray, memoryview]


class Tensor:
    """Raw little-endian bytes, row-major; BYTES elements are each prefixed by their uint32 length."""

    __slots__ = ("name", "datatype", "shape", "parameters", "data", "shared")

    def __init__(
        self, name: str, datatype: str, shape: Sequence[int], data: Buffer, parameters: Optional[Dict[str, Any]] = None
    ) -> None:
        self.name = name
        self.datatype = datatype
        self.shape = shape
        self.parameters = parameters or {}
        self.data = data
        # Where the bytes are, until they are read.
        self.shared: Optional[Shared] = None


class Request:
    """One inference request; `cost` is what it counts for in credits."""

    __slots__ = ("servable", "version", "id", "parameters", "outputs", "inputs", "headers", "cost", "shared_outputs", "route")

    def __init__(self, body: memoryview, head: HeadReader, tensors_at: int) -> None:
        self.servable = head.string()
        self.version = head.string()
        self.id = head.string()
        self.parameters = head.parameters()
        self.outputs: List[Tuple[str, Dict[str, Any]]] = [
            (head.string(), head.parameters()) for _ in range(head.varint())
        ]
        self.inputs = _read_tensors(body, head, tensors_at)
        self.headers = {} if head.is_at_end else head.strings()
        # Where outputs go that are wanted in shared memory, by name.
        self.shared_outputs: Dict[str, Shared] = {}
        if not head.is_at_end:
            self._read_sharing(head)
        # "METHOD /path?query" of a call of a route of the model's own, whose body is the one input; "": an inference.
        self.route = "" if head.is_at_end else head.string()
        self.cost = cost_of(self.inputs)

    def _read_sharing(self, head: HeadReader) -> None:
        for _ in range(head.varint()):
            index = head.varint()
            shared = Shared(head.string(), head.string(), head.string(), head.varint(), head.varint())
            if index < len(self.inputs):
                self.inputs[index].shared = shared
            else:
                self.shared_outputs[self.outputs[index - len(self.inputs)][0]] = shared


class Response:
    """One inference response."""

    __slots__ = ("servable", "version", "id", "parameters", "outputs", "headers")

    def __init__(
        self,
        servable: str,
        version: str,
        request_id: str,
        outputs: List[Tensor],
        parameters: Optional[Dict[str, Any]] = None,
        headers: Optional[Dict[str, str]] = None,
    ) -> None:
        self.servable = servable
        self.version = version
        self.id = request_id
        self.outputs = outputs
        self.parameters = parameters or {}
        self.headers = headers


def open_body(body: memoryview) -> Tuple[HeadReader, int]:
    """A message's head, and where the tensors that follow it begin."""
    (length,) = UINT32.unpack_from(body)
    return HeadReader(body, 4, 4 + length), padded(4 + length)


def write_response(head: HeadWriter, response: Response) -> List[Buffer]:
    """Writes the head and returns the tensors' bytes. Raises TypeError where a parameter cannot be sent."""
    head.name(response.servable)
    head.name(response.version)
    head.string(response.id)
    head.parameters(response.parameters)
    head.varint(len(response.outputs))
    data: List[Buffer] = []
    for tensor in response.outputs:
        head.name(tensor.name)
        head.byte(_INDEX[tensor.datatype])
        head.varint(len(tensor.shape))
        for dim in tensor.shape:
            head.varint(dim)
        head.parameters(tensor.parameters)
        head.varint(len(tensor.data))
        data.append(tensor.data)
    if response.headers:
        head.strings(response.headers)
    return data


def write_error(head: HeadWriter, error: HostError) -> None:
    head.string(json.dumps(error.to_json()))


def read_error(head: HeadReader) -> HostError:
    """An error of the server's, which only ends something here: its reason need not be known."""
    plain = json.loads(head.string())
    return HostError(plain["reason"], plain["message"], plain["details"], plain["code"])


def cost_of(tensors: Sequence[Tensor]) -> int:
    """Bytes that a request or response counts for in credits, shared ones too."""
    cost = 256
    for tensor in tensors:
        cost += len(tensor.data) if tensor.shared is None else tensor.shared.size
    return cost


def _read_tensors(body: memoryview, head: HeadReader, at: int) -> List[Tensor]:
    tensors = []
    for _ in range(head.varint()):
        name = head.string()
        datatype = DATATYPES[head.byte()]
        shape = [head.varint() for _ in range(head.varint())]
        parameters = head.parameters()
        size = head.varint()
        tensors.append(Tensor(name, datatype, shape, body[at : at + size], parameters))
        at += padded(size)
    return tensors
