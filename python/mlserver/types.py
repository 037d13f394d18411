"""The messages of the Open Inference Protocol (KServe v2), as `mlserver.types` names them."""

from __future__ import annotations

from enum import Enum
from typing import Any, Iterator, List, Optional

from .base import BaseModel, ValidationError, a, a_list, anything, model, optional

__all__ = [
    "Datatype",
    "InferenceErrorResponse",
    "InferenceRequest",
    "InferenceResponse",
    "MetadataModelErrorResponse",
    "MetadataModelResponse",
    "MetadataServerErrorResponse",
    "MetadataServerResponse",
    "MetadataTensor",
    "Parameters",
    "RequestInput",
    "RequestOutput",
    "ResponseOutput",
    "TensorData",
]


class Datatype(Enum):
    BOOL = "BOOL"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FP16 = "FP16"
    FP32 = "FP32"
    FP64 = "FP64"
    BYTES = "BYTES"


def _datatype(where: str, value: Any) -> str:
    """Kept as its text, as in the package that this stands in for."""
    name = value.value if isinstance(value, Datatype) else value
    if name not in Datatype.__members__:
        raise ValidationError(f"{where}: {name!r} given, one of {', '.join(Datatype.__members__)} expected")
    return str(name)


class TensorData:
    """
    The elements of a tensor, flat or nested. Numbers that came from the server, or from numpy, stay in their raw form
    until somebody looks at them one by one.
    """

    __slots__ = ("_root", "_raw", "_datatype", "_array")

    def __init__(self, root: Any = None, **alias: Any) -> None:
        self._root = alias.get("__root__", root)
        self._raw: Any = None
        self._datatype: Optional[str] = None
        self._array: Any = None

    @classmethod
    def from_raw(cls, datatype: str, raw: Any) -> "TensorData":
        """Little-endian bytes of any datatype but BYTES."""
        made = cls()
        made._raw, made._datatype = raw, datatype
        return made

    @classmethod
    def from_array(cls, array: Any) -> "TensorData":
        """A flat numpy array of numbers."""
        made = cls()
        made._array = array
        return made

    @classmethod
    def model_construct(cls, root: Any) -> "TensorData":
        return cls(root)

    @property
    def root(self) -> Any:
        if self._raw is not None:
            from millrace_host.elements import decode_numbers

            self._root, self._raw = decode_numbers(self._datatype or "", self._raw), None
        elif self._array is not None:
            values = self._array
            self._root, self._array = values.tolist(), None
            if values.dtype.kind == "f":
                # NaN is null in JSON.
                self._root = [None if value != value else value for value in self._root]
        return self._root

    @root.setter
    def root(self, value: Any) -> None:
        self._root, self._raw, self._array = value, None, None

    @property
    def __root__(self) -> Any:
        return self.root

    def raw(self, datatype: str) -> Any:
        """The elements' bytes where they are at hand as this datatype."""
        if self._raw is not None and self._datatype == datatype:
            return self._raw
        if self._array is not None:
            from millrace_host.elements import NUMPY_TYPES

            if str(self._array.dtype) == NUMPY_TYPES.get(datatype):
                return self._array.tobytes()
        return None

    def array(self, datatype: str) -> Any:
        """A flat numpy array where the numbers are at hand as such; it must not be written to."""
        if self._array is not None:
            return self._array
        if self._raw is not None and self._datatype == datatype:
            import numpy
            from millrace_host.elements import NUMPY_TYPES

            return numpy.frombuffer(self._raw, NUMPY_TYPES[datatype]) if datatype in NUMPY_TYPES else None
        return None

    def model_dump(self, **_: Any) -> Any:
        return self.root

    def __iter__(self) -> Iterator[Any]:
        return iter(self.root)

    def __getitem__(self, index: Any) -> Any:
        return self.root[index]

    def __len__(self) -> int:
        return len(self.root)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorData) and bool(self.root == other.root)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"TensorData(root={self.root!r})"


def _data(_: str, value: Any) -> TensorData:
    return value if isinstance(value, TensorData) else TensorData(value)


_text = a(str)
_parameters = optional(model(lambda: Parameters))


class Parameters(BaseModel):
    """Any others are attributes too."""

    content_type: Optional[str]
    headers: Optional[dict]  # type: ignore[type-arg]
    _fields = {"content_type": optional(_text), "headers": optional(a(dict))}
    _defaults = {"content_type": None, "headers": None}
    _keeps_unknown = True


class RequestInput(BaseModel):
    name: str
    shape: List[int]
    datatype: str
    parameters: Optional[Parameters]
    data: TensorData
    _fields = {
        "name": _text,
        "shape": a_list(a(int)),
        "datatype": _datatype,
        "parameters": _parameters,
        "data": _data,
    }
    _defaults = {"parameters": None}


class ResponseOutput(BaseModel):
    name: str
    shape: List[int]
    datatype: str
    parameters: Optional[Parameters]
    data: TensorData
    _fields = RequestInput._fields
    _defaults = RequestInput._defaults


class RequestOutput(BaseModel):
    name: str
    parameters: Optional[Parameters]
    _fields = {"name": _text, "parameters": _parameters}
    _defaults = {"parameters": None}


class InferenceRequest(BaseModel):
    id: Optional[str]
    parameters: Optional[Parameters]
    inputs: List[RequestInput]
    outputs: Optional[List[RequestOutput]]
    _fields = {
        "id": optional(_text),
        "parameters": _parameters,
        "inputs": a_list(model(lambda: RequestInput)),
        "outputs": optional(a_list(model(lambda: RequestOutput))),
    }
    _defaults = {"id": None, "parameters": None, "outputs": None}


class InferenceResponse(BaseModel):
    model_name: str
    model_version: Optional[str]
    id: Optional[str]
    parameters: Optional[Parameters]
    outputs: List[ResponseOutput]
    _fields = {
        "model_name": _text,
        "model_version": optional(_text),
        "id": optional(_text),
        "parameters": _parameters,
        "outputs": a_list(model(lambda: ResponseOutput)),
    }
    _defaults = {"model_version": None, "id": None, "parameters": None}


class InferenceErrorResponse(BaseModel):
    error: Optional[str]
    _fields = {"error": optional(_text)}
    _defaults = {"error": None}


class MetadataTensor(BaseModel):
    name: str
    datatype: str
    shape: List[int]
    parameters: Optional[Parameters]
    _fields = {"name": _text, "datatype": _datatype, "shape": a_list(a(int)), "parameters": _parameters}
    _defaults = {"parameters": None}


class MetadataModelResponse(BaseModel):
    name: str
    versions: Optional[List[str]]
    platform: str
    inputs: Optional[List[MetadataTensor]]
    outputs: Optional[List[MetadataTensor]]
    parameters: Optional[Parameters]
    _fields = {
        "name": _text,
        "versions": optional(a_list(_text)),
        "platform": _text,
        "inputs": optional(a_list(model(lambda: MetadataTensor))),
        "outputs": optional(a_list(model(lambda: MetadataTensor))),
        "parameters": _parameters,
    }
    _defaults = {"versions": None, "inputs": None, "outputs": None, "parameters": None}


class MetadataServerResponse(BaseModel):
    name: str
    version: str
    extensions: List[str]
    _fields = {"name": _text, "version": _text, "extensions": a_list(_text)}


class MetadataServerErrorResponse(BaseModel):
    error: str
    _fields = {"error": anything}


class MetadataModelErrorResponse(BaseModel):
    error: str
    _fields = {"error": anything}
