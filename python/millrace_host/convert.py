"""Between requests and responses of the server and those of `mlserver.types`, the user's package or ours."""

from __future__ import annotations

import struct
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
            numbers = NumberList(values)
            numbers._raw, numbers._dtype = tensor.data, NUMPY_TYPES[datatype]
            return self._tensor_data(numbers)
        return self._tensor_data(values)

    def _tensor_data(self, values: List[Any]) -> Any:
        construct = getattr(self._types.TensorData, "model_construct", None)
        if construct is not None:
            return construct(values)
        return self._types.TensorData.construct(__root__=values)

    def _parameters(self, parameters: Dict[str, Any]) -> Any:
        return _construct(self._types.Parameters, parameters)

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
    where = f'output "{name}"'
    datatype = getattr(output, "datatype", None)
    datatype = getattr(datatype, "value", datatype)
    if datatype != "BYTES" and datatype not in STRUCT_CODES:
        raise AnswerError(f"{where}: datatype {datatype!r} given, one like FP32 expected")
    given = getattr(output, "shape", None)
    try:
        shape = [int(dim) for dim in given]  # type: ignore[union-attr]
    except (TypeError, ValueError):
        shape = [-1]
    if any(dim < 0 for dim in shape):
        raise AnswerError(f"{where}: shape {given!r} given, a list of whole numbers from 0 expected")
    parameters, _ = _split_headers(getattr(output, "parameters", None), where)
    try:
        raw = _raw(datatype, shape, getattr(output, "data", None))
    except AnswerError as error:
        raise AnswerError(f"{where}: {error}") from None
    return Tensor(name, datatype, shape, raw, parameters)


def _raw(datatype: str, shape: List[int], data: Any) -> Any:
    expected = element_count(shape)
    known = getattr(data, "raw", None)
    if known is not None:
        raw = known(datatype)
        if raw is not None and len(raw) == expected * struct.calcsize(STRUCT_CODES.get(datatype, "B")):
            return raw
    data = getattr(data, "root", getattr(data, "__root__", data))
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
    found = dict(_fields(parameters))
    headers = found.pop(_HEADERS, None)
    plain = {name: _plain(value, f"{where}: parameter {name!r}") for name, value in found.items()}
    if not headers:
        return plain, None
    if not isinstance(headers, dict):
        raise AnswerError(f"{where}: headers: {type(headers).__name__} given, dict expected")
    return plain, {str(name).lower(): str(value) for name, value in headers.items()}


def _fields(parameters: Any) -> Dict[str, Any]:
    if isinstance(parameters, dict):
        fields = parameters
    else:
        fields = {**getattr(parameters, "__dict__", {}), **(getattr(parameters, "__pydantic_extra__", None) or {})}
    # A decoded payload is kept under a private name.
    return {name: value for name, value in fields.items() if value is not None and not name.startswith("_")}


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, (bool, str, float)):
        return value
    if isinstance(value, int):
        if -(2**63) <= value < 2**64:
            return value
        raise AnswerError(f"{where}: {value} given, a number of 64 bits expected")
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        return _plain(item(), where)
    if isinstance(value, (dict, list, tuple)):
        return value
    raise AnswerError(f"{where}: {type(value).__name__} given, what JSON can say expected")


def _text(element: bytes) -> Any:
    try:
        return element.decode()
    except UnicodeDecodeError:
        return element


def _construct(kind: Any, fields: Dict[str, Any]) -> Any:
    construct = getattr(kind, "model_construct", None) or kind.construct
    return construct(**fields)
