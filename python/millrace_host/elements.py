"""Elements of tensors: raw bytes to Python lists and back."""

from __future__ import annotations

import functools
import math
import struct
from array import array
from typing import Any, Iterable, List, Sequence, Union

from .codec import Buffer
from .errors import HostError
from .frames import UINT32

# Struct codes, which `memoryview.cast` and `array` also know, but for FP16 and BOOL.
STRUCT_CODES = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}

NUMPY_TYPES = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
}

_FLOATS = ("FP16", "FP32", "FP64")


class NumberList(list):  # type: ignore[type-arg]
    """A list whose raw bytes are known until it is changed, so that numpy need not look at its elements."""

    __slots__ = ("_raw", "_dtype")

    def __init__(self, values: Iterable[Any] = (), raw: Any = None, dtype: str = "") -> None:
        super().__init__(values)
        self._raw, self._dtype = raw, dtype

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        import numpy

        found = numpy.array(list(self)) if self._raw is None else numpy.frombuffer(self._raw, self._dtype)
        return found.astype(dtype or found.dtype)


def _changing(name: str) -> Any:
    change = getattr(list, name)

    @functools.wraps(change)
    def forgetting(self: NumberList, *args: Any, **kwargs: Any) -> Any:
        self._raw = None
        return change(self, *args, **kwargs)

    return forgetting


for _name in ("append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"):
    setattr(NumberList, _name, _changing(_name))
for _name in ("delitem", "iadd", "imul", "setitem"):
    setattr(NumberList, f"__{_name}__", _changing(f"__{_name}__"))


def decode_numbers(datatype: str, raw: Buffer) -> List[Any]:
    """The elements of any datatype but BYTES."""
    if datatype == "BF16":
        halves = memoryview(raw).cast("H").tolist()
        return list(struct.unpack(f"<{len(halves)}f", b"".join(struct.pack("<HH", 0, half) for half in halves)))
    if datatype == "FP16":
        return list(struct.unpack(f"<{len(raw) // 2}e", raw))
    return memoryview(raw).cast(STRUCT_CODES[datatype]).tolist()


def decode_bytes(name: str, raw: Buffer) -> List[bytes]:
    """The elements of BYTES. Raises HostError MALFORMED_BYTES."""
    view = memoryview(raw)
    elements: List[bytes] = []
    at, end = 0, len(view)
    while at < end:
        length = int.from_bytes(view[at : at + 4], "little") if end - at >= 4 else end
        if end - at - 4 < length:
            raise HostError("MALFORMED_BYTES", f"tensor '{name}': its last element is cut off", {"tensor": name})
        elements.append(bytes(view[at + 4 : at + 4 + length]))
        at += 4 + length
    return elements


def encode_bytes(elements: Iterable[Union[str, bytes]]) -> bytes:
    """Raw BYTES data. Raises TypeError for other elements."""
    parts: List[bytes] = []
    for element in elements:
        data = element if type(element) is bytes else _encoded(element)
        parts.append(UINT32.pack(len(data)))
        parts.append(data)
    return b"".join(parts)


def _encoded(element: Any) -> bytes:
    if isinstance(element, str):
        return element.encode()
    if isinstance(element, (bytes, bytearray, memoryview)):
        return bytes(element)
    raise TypeError(f"{type(element).__name__} given, str or bytes expected")


def encode_numbers(datatype: str, elements: Sequence[Any]) -> bytes:
    """Raw data of any datatype but BYTES and BF16. Raises TypeError, ValueError, OverflowError or struct.error."""
    if datatype == "BOOL":
        return bytes([1 if element else 0 for element in elements])
    if datatype in _FLOATS:
        try:
            return _pack(datatype, elements)
        except TypeError:
            # NaN is null in JSON.
            return _pack(datatype, [math.nan if element is None else element for element in elements])
    try:
        return _pack(datatype, elements)
    except TypeError:
        return _pack(datatype, [int(element) if _is_whole(element) else element for element in elements])


def _is_whole(element: Any) -> bool:
    return isinstance(element, bool) or (isinstance(element, float) and element.is_integer())


def _pack(datatype: str, elements: Sequence[Any]) -> bytes:
    if datatype == "FP16":
        return struct.pack(f"<{len(elements)}e", *elements)
    return array(STRUCT_CODES[datatype], elements).tobytes()


def flatten(data: Any) -> List[Any]:
    """Nested lists as one, row-major; one element alone as a list."""
    if not isinstance(data, (list, tuple)):
        return [data]
    if len(data) == 0 or not isinstance(data[0], (list, tuple)):
        return data if isinstance(data, list) else list(data)
    flat: List[Any] = []
    for element in data:
        flat.extend(flatten(element))
    return flat


def element_count(shape: Sequence[int]) -> int:
    return math.prod(shape)
