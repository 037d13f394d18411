"""
Stands in for OVMS's `pyovms`: the tensors that a graph's Python nodes get and give.

`bytes(tensor)`, `numpy.array(tensor)` and `tensor.data`, a memoryview, work in every Python; `memoryview(tensor)` and what
else needs the buffer protocol from Python 3.12 on, which lets a class have it.
"""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

from millrace_host.elements import NUMPY_TYPES, STRUCT_CODES

ITEM_BYTES = {
    "BOOL": 1,
    "UINT8": 1,
    "UINT16": 2,
    "UINT32": 4,
    "UINT64": 8,
    "INT8": 1,
    "INT16": 2,
    "INT32": 4,
    "INT64": 8,
    "FP16": 2,
    "BF16": 2,
    "FP32": 4,
    "FP64": 8,
    "BYTES": 0,
}

_KINDS = {"?": "BOOL", "e": "FP16", "f": "FP32", "d": "FP64"}


class Tensor:
    """
    A name, and a buffer with its shape and datatype. Of a buffer that tells them they may be left out. BYTES are raw: each
    element follows its length, a little-endian uint32.
    """

    def __init__(self, name: str, data: Any, shape: Optional[Sequence[int]] = None, datatype: Optional[str] = None) -> None:
        if not isinstance(name, str):
            raise TypeError(f"name: {type(name).__name__} given, str expected")
        view = memoryview(data.raw if isinstance(data, Tensor) else data)
        self.name = name
        self.shape: List[int] = [int(dim) for dim in (view.shape or () if shape is None else shape)]
        self.datatype: str = _datatype(view) if datatype is None else str(datatype)
        if isinstance(data, Tensor):
            self.shape = list(data.shape) if shape is None else self.shape
            self.datatype = data.datatype if datatype is None else self.datatype
        # In row-major order, in one piece.
        self.raw: Any = view.cast("B") if view.c_contiguous and view.nbytes > 0 else view.tobytes()

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.raw)

    @property
    def data(self) -> memoryview:
        """The elements, in their shape where Python knows their type."""
        view = memoryview(self.raw)
        code = STRUCT_CODES.get(self.datatype)
        if code is None or code == "e" or 0 in self.shape:
            return view
        typed = view.cast(code)
        return typed.cast("B").cast(code, self.shape) if self.shape else typed

    def __bytes__(self) -> bytes:
        return bytes(self.raw)

    def __len__(self) -> int:
        return self.shape[0] if self.shape else len(self.raw)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        import numpy

        name = NUMPY_TYPES.get(self.datatype)
        if name is None:
            array = numpy.frombuffer(self.raw, numpy.uint8)
        else:
            array = numpy.frombuffer(self.raw, name).reshape(self.shape)
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __buffer__(self, flags: int) -> memoryview:
        return self.data

    def __repr__(self) -> str:
        return f"Tensor({self.name!r}, {self.datatype} {self.shape})"


def _datatype(view: memoryview) -> str:
    code = view.format.lstrip("@=<")
    kind = _KINDS.get(code)
    if kind is None and code in tuple("bhilq"):
        kind = f"INT{view.itemsize * 8}"
    if kind is None and code in tuple("BHILQ"):
        kind = f"UINT{view.itemsize * 8}"
    if kind is None:
        raise TypeError(f"data: a buffer of format {view.format!r} given, which has no datatype")
    return kind
