"""`base64`: a list of bytes, as ASCII text on the wire."""

from __future__ import annotations

import base64
import binascii
from typing import Any, List

from ..types import RequestInput, ResponseOutput
from .base import InputCodec, register_input_codec
from .utils import as_input, as_list, bytes_output, is_list_of


def _decode(tensor: Any) -> List[bytes]:
    return [_element(element) for element in as_list(tensor.data.root)]


def _element(element: Any) -> bytes:
    """What is no base64 is taken for the bytes themselves."""
    data = element.encode() if isinstance(element, str) else bytes(element)
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        return data


@register_input_codec
class Base64Codec(InputCodec):
    ContentType = "base64"
    TypeHint = List[bytes]

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        return is_list_of(payload, bytes)

    @classmethod
    def encode_output(cls, name: str, payload: List[bytes], use_bytes: bool = True, **kwargs: Any) -> ResponseOutput:
        encoded = [base64.b64encode(each.encode("ascii") if isinstance(each, str) else each) for each in payload]
        return bytes_output(name, cls.ContentType, encoded if use_bytes else [each.decode("ascii") for each in encoded])

    @classmethod
    def decode_output(cls, response_output: ResponseOutput) -> List[bytes]:
        return _decode(response_output)

    @classmethod
    def encode_input(cls, name: str, payload: List[bytes], use_bytes: bool = True, **kwargs: Any) -> RequestInput:
        return as_input(cls.encode_output(name, payload, use_bytes))

    @classmethod
    def decode_input(cls, request_input: RequestInput) -> List[bytes]:
        return _decode(request_input)
