"""Between requests and responses of the server and those of `mlserver.types`, the user's package or ours."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any, Dict, List, Optional, Tuple

from .codec import Request, Response, Tensor
from .elements import (
    NUMPY_TYPES,
    STRUCT_CODES,
    NumberList,
    decode_bytes,
    decode_numbers,
    element_count,
    encode_bytes,
    encode_numbers,
    flatten,
)
from .errors import HostError

_HEADERS = "headers"


class AnswerError(Exception):
    """What is wrong with what users' code answered."""


class Converter:
    """Made once per process, when `mlserver.types` can be imported."""

    def __init__(self, types: Any) -> None:
        self._types = types
        self._is_ours = hasattr(types.TensorData, "from_raw")

    def to_request(self, request: Request, request_id: str) -> Any:
        """
        An `InferenceRequest`, made as MLServer's own gRPC converter does: without validation. BYTES elements are `bytes`,
        but `str` where the request came over HTTP and they are UTF-8, as MLServer's JSON gives them.
        """
        types = self._types
        is_json = "host" in request.headers
        fields: Dict[str, Any] = {"inputs": [self._input(tensor, is_json) for tensor in request.inputs]}
        if request_id:
            fields["id"] = request_id
        parameters = dict(request.parameters)
        if request.headers:
            parameters[_HEADERS] = dict(request.headers)
        if parameters:
            fields["parameters"] = self._parameters(parameters)
        if request.outputs:
            fields["outputs"] = [self._output(name, parameters) for name, parameters in request.outputs]
        return _construct(types.InferenceRequest, fields)

    def _input(self, tensor: Tensor, is_json: bool) -> Any:
        fields: Dict[str, Any] = {
            "name": tensor.name,
            "shape": list(tensor.shape),
            "datatype": tensor.datatype,
            "data": self._data(tensor, is_json),
        }
        if tensor.parameters:
            fields["parameters"] = self._parameters(tensor.parameters)
        return _construct(self._types.RequestInput, fields)

    def _data(self, tensor: Tensor, is_json: bool) -> Any:
        datatype = tensor.datatype
        if datatype == "BYTES":
            elements = decode_bytes(tensor.name, tensor.data)
            return self._tensor_data([_text(element) for element in elements] if is_json else elements)
        if self._is_ours:
            return self._types.TensorData.from_raw(datatype, tensor.data)
        values = decode_numbers(datatype, tensor.data)
        if datatype in NUMPY_TYPES:
            return self._tensor_data(NumberList(values, tensor.data, NUMPY_TYPES[datatype]))
        return self._tensor_data(values)

    def _tensor_data(self, values: List[Any]) -> Any:
        construct = getattr(self._types.TensorData, "model_construct", None)
        if construct is not None:
            return construct(values)
        return self._types.TensorData.construct(__root__=values)

    def _parameters(self, parameters: Dict[str, Any]) -> Any:
        """Without private names, which are MLServer's own: under one of them it keeps a decoded payload."""
        public = {name: value for name, value in parameters.items() if not name.startswith("_")}
        return _construct(self._types.Parameters, public)

    def _output(self, name: str, parameters: Dict[str, Any]) -> Any:
        fields: Dict[str, Any] = {"name": name}
        if parameters:
            fields["parameters"] = self._parameters(parameters)
        return _construct(self._types.RequestOutput, fields)


def to_response(answer: Any, name: str, version: str, request_id: str) -> Response:
    """Raises AnswerError, which says what is wrong with the answer."""
    outputs = getattr(answer, "outputs", None)
    if isinstance(answer, type) or not isinstance(outputs, (list, tuple)):
        raise AnswerError(f"{type(answer).__name__} given, an InferenceResponse expected")
    parameters, headers = _split_headers(getattr(answer, "parameters", None), "parameters")
    tensors = [_tensor(output, at) for at, output in enumerate(outputs)]
    own_version = getattr(answer, "model_version", None)
    if own_version is not None and not isinstance(own_version, str):
        raise AnswerError(f"model_version: {type(own_version).__name__} given, str expected")
    return Response(name, own_version or version, request_id, tensors, parameters, headers)


def _tensor(output: Any, at: int) -> Tensor:
    name = getattr(output, "name", None)
    if not isinstance(name, str):
        raise AnswerError(f"outputs[{at}]: {type(output).__name__} given, a ResponseOutput with a name expected")
    datatype = getattr(output, "datatype", None)
    if type(datatype) is not str:
        datatype = getattr(datatype, "value", datatype)
    if datatype != "BYTES" and datatype not in STRUCT_CODES:
        raise AnswerError(f'output "{name}": datatype {datatype!r} given, one like FP32 expected')
    given = getattr(output, "shape", None)
    shape = _shape(given)
    if shape is None:
        raise AnswerError(f'output "{name}": shape {given!r} given, a list of whole numbers from 0 expected')
    parameters = getattr(output, "parameters", None)
    if parameters is not None:
        parameters, _ = _split_headers(parameters, f'output "{name}"')
    try:
        raw = _raw(datatype, shape, getattr(output, "data", None))
    except AnswerError as error:
        raise AnswerError(f'output "{name}": {error}') from None
    return Tensor(name, datatype, shape, raw, parameters)


def _shape(given: Any) -> Optional[List[int]]:
    """None where it is not one."""
    try:
        if type(given) is list:
            # At once where every dimension fits into a byte.
            return list(bytes(given))
    except (TypeError, ValueError):
        pass
    try:
        shape = [int(dim) for dim in given]
    except (TypeError, ValueError):
        return None
    return None if any(dim < 0 for dim in shape) else shape


def _raw(datatype: str, shape: List[int], data: Any) -> Any:
    expected = element_count(shape)
    if type(data) is not list:
        if _knows_raw(type(data)):
            raw = data.raw(datatype)
            if raw is not None and len(raw) == expected * struct.calcsize(STRUCT_CODES.get(datatype, "B")):
                return raw
        data = _unwrapped(data)
    if hasattr(data, "__array_interface__"):
        if datatype != "BYTES":
            if data.size != expected:
                raise AnswerError(f"{data.size} elements given, {expected} expected for shape {shape}")
            return data.astype(NUMPY_TYPES[datatype]).tobytes()
        data = data.tolist()
    elements = flatten(data)
    if datatype == "BYTES" and len(elements) == 1 and expected > 1:
        elements = _split_joined(elements[0], expected)
    if len(elements) != expected:
        raise AnswerError(f"{len(elements)} elements given, {expected} expected for shape {shape}")
    try:
        return encode_bytes(elements) if datatype == "BYTES" else encode_numbers(datatype, elements)
    except (TypeError, ValueError, OverflowError, struct.error) as error:
        raise AnswerError(f"data is no {datatype}: {error}") from None


@lru_cache(64)
def _knows_raw(kind: type) -> bool:
    """Whether it is our own `TensorData`, which may have the bytes. An attribute that pydantic's does not have is dear to ask for."""
    return hasattr(kind, "from_raw")


def _unwrapped(data: Any) -> Any:
    """The list in a `TensorData` of whatever version."""
    try:
        return data.root
    except AttributeError:
        return getattr(data, "__root__", data)


def _split_joined(joined: Any, count: int) -> List[Any]:
    """MLServer's numpy codec joins the elements of a bytes array, each padded with zeros to the same length."""
    if not isinstance(joined, bytes) or len(joined) % count != 0:
        return [joined]
    size = len(joined) // count
    return [joined[at : at + size].rstrip(b"\0") for at in range(0, len(joined), size)] if size > 0 else [b""] * count


def _split_headers(parameters: Any, where: str) -> Tuple[Dict[str, Any], Optional[Dict[str, str]]]:
    """Parameters that are set, and the headers among them."""
    if parameters is None:
        return {}, None
    headers: Any = None
    plain: Dict[str, Any] = {}
    for name, value in _fields(parameters).items():
        # A decoded payload is kept under a private name.
        if value is None or name.startswith("_"):
            continue
        if name == _HEADERS:
            headers = value
        else:
            plain[name] = value if type(value) is str else _plain(value, where, name)
    if not headers:
        return plain, None
    if not isinstance(headers, dict):
        raise AnswerError(f"{where}: headers: {type(headers).__name__} given, dict expected")
    return plain, {str(name).lower(): str(value) for name, value in headers.items()}


def _fields(parameters: Any) -> Dict[str, Any]:
    if isinstance(parameters, dict):
        return parameters
    fields: Dict[str, Any] = getattr(parameters, "__dict__", {})
    unknown = getattr(parameters, "__pydantic_extra__", None)
    return {**fields, **unknown} if unknown else fields


def _plain(value: Any, where: str, name: str) -> Any:
    if isinstance(value, (bool, str, float)):
        return value
    if isinstance(value, int):
        if -(2**63) <= value < 2**64:
            return value
        raise AnswerError(f"{where}: parameter {name!r}: {value} given, a number of 64 bits expected")
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        return _plain(item(), where, name)
    if isinstance(value, (dict, list, tuple)):
        return value
    raise AnswerError(f"{where}: parameter {name!r}: {type(value).__name__} given, what JSON can say expected")


def _text(element: bytes) -> Any:
    try:
        return element.decode()
    except UnicodeDecodeError:
        return element


def _construct(kind: Any, fields: Dict[str, Any]) -> Any:
    construct = getattr(kind, "model_construct", None) or kind.construct
    return construct(**fields)
