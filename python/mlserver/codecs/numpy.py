"""`np`: an array. numpy is imported when one is first decoded or encoded."""

from __future__ import annotations

import sys
from typing import Any, List

from millrace_host.elements import NUMPY_TYPES, element_count

from ..types import Parameters, RequestInput, ResponseOutput, TensorData
from .base import InputCodec, register_input_codec, register_request_codec
from .errors import CodecError
from .utils import SingleInputRequestCodec, as_input, as_list, inject_batch_dimension, is_list_of

_DATATYPES = {name: datatype for datatype, name in NUMPY_TYPES.items()}


def to_dtype(tensor: Any) -> Any:
    """The array type of a tensor's elements. Raises CodecError."""
    import numpy

    if tensor.datatype in NUMPY_TYPES:
        return numpy.dtype(NUMPY_TYPES[tensor.datatype])
    if tensor.datatype != "BYTES":
        raise CodecError(f"tensor '{tensor.name}': numpy has no {tensor.datatype}")
    if is_list_of(tensor.data.root, str):
        return numpy.dtype(str)
    return numpy.dtype((bytes, tensor.shape[-1]))


def to_datatype(dtype: Any) -> str:
    """The datatype of an array's elements. Raises CodecError."""
    if dtype.kind in "SUO":
        return "BYTES"
    if str(dtype) not in _DATATYPES:
        raise CodecError(f"an array of {dtype} has no datatype")
    return _DATATYPES[str(dtype)]


def convert_nan(value: Any) -> Any:
    return None if value != value else value


def _decode(tensor: Any) -> Any:
    import numpy

    known = tensor.data.array(tensor.datatype) if isinstance(tensor.data, TensorData) else None
    if known is None:
        elements = list(as_list(tensor.data.root))
        if tensor.datatype == "BYTES":
            known = _bytes_array(elements, tensor)
        else:
            known = numpy.array(elements, to_dtype(tensor))
    try:
        return known.reshape(tensor.shape)
    except ValueError:
        text = f"tensor '{tensor.name}': {known.size} elements given, shape {tensor.shape} expected"
        raise CodecError(text) from None


def _bytes_array(elements: List[Any], tensor: Any) -> Any:
    """One element alone may be all of them joined, each padded to the same length: as arrays of bytes are encoded."""
    import numpy

    if all(isinstance(element, str) for element in elements):
        return numpy.array(elements, str)
    count = element_count(tensor.shape)
    if len(elements) == 1 and count > 1 and elements[0] and len(elements[0]) % count == 0:
        return numpy.frombuffer(elements[0], (bytes, len(elements[0]) // count))
    return numpy.array([element.encode() if isinstance(element, str) else bytes(element) for element in elements])


def _data(payload: Any, datatype: str) -> Any:
    flat = payload.reshape(-1)
    if datatype != "BYTES":
        # Kept as it is: whoever wants a list gets null for NaN.
        return TensorData.from_array(flat.copy())
    if payload.dtype.kind == "S":
        return [payload.tobytes()]
    return [element.encode() if isinstance(element, str) else element for element in flat.tolist()]


class _Numpy(type):
    """`TypeHint` is numpy's class where numpy was imported, which it was where a signature names it."""

    @property
    def TypeHint(cls) -> Any:  # noqa: N802 - MLServer's name
        numpy = sys.modules.get("numpy")
        return None if numpy is None else numpy.ndarray


@register_input_codec
class NumpyCodec(InputCodec, metaclass=_Numpy):
    ContentType = "np"

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        numpy = sys.modules.get("numpy")
        return numpy is not None and isinstance(payload, numpy.ndarray)

    @classmethod
    def encode_output(cls, name: str, payload: Any, **kwargs: Any) -> ResponseOutput:
        datatype = to_datatype(payload.dtype)
        return ResponseOutput(
            name=name,
            datatype=datatype,
            shape=inject_batch_dimension([int(dim) for dim in payload.shape]),
            data=_data(payload, datatype),
            parameters=Parameters(content_type=cls.ContentType),
        )

    @classmethod
    def decode_output(cls, response_output: ResponseOutput) -> Any:
        return _decode(response_output)

    @classmethod
    def encode_input(cls, name: str, payload: Any, **kwargs: Any) -> RequestInput:
        return as_input(cls.encode_output(name, payload))

    @classmethod
    def decode_input(cls, request_input: RequestInput) -> Any:
        return _decode(request_input)


@register_request_codec
class NumpyRequestCodec(SingleInputRequestCodec, metaclass=_Numpy):
    InputCodec = NumpyCodec
    ContentType = NumpyCodec.ContentType
