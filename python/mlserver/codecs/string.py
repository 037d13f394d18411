"""`str`: a list of texts in UTF-8."""

from __future__ import annotations

from typing import Any, List

from ..types import RequestInput, ResponseOutput
from .base import InputCodec, register_input_codec, register_request_codec
from .errors import CodecError
from .utils import SingleInputRequestCodec, as_input, as_list, bytes_output, is_list_of


def encode_str(element: str) -> bytes:
    return element.encode()


def _decode(tensor: Any) -> List[Any]:
    return [_text(tensor.name, element) for element in as_list(tensor.data.root)]


def _text(name: str, element: Any) -> Any:
    if element is None or isinstance(element, str):
        return element
    if isinstance(element, (bytes, bytearray, memoryview)):
        try:
            return str(element, "utf-8")
        except UnicodeDecodeError as error:
            raise CodecError(f"tensor '{name}' is no UTF-8 text: {error.reason} at byte {error.start}") from None
    raise CodecError(f"tensor '{name}': {type(element).__name__} given, text expected")


@register_input_codec
class StringCodec(InputCodec):
    ContentType = "str"
    TypeHint = List[str]

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        return is_list_of(payload, str)

    @classmethod
    def encode_output(cls, name: str, payload: List[str], use_bytes: bool = True, **kwargs: Any) -> ResponseOutput:
        return bytes_output(name, cls.ContentType, [encode_str(text) for text in payload] if use_bytes else list(payload))

    @classmethod
    def decode_output(cls, response_output: ResponseOutput) -> List[str]:
        return _decode(response_output)

    @classmethod
    def encode_input(cls, name: str, payload: List[str], use_bytes: bool = True, **kwargs: Any) -> RequestInput:
        return as_input(cls.encode_output(name, payload, use_bytes))

    @classmethod
    def decode_input(cls, request_input: RequestInput) -> List[str]:
        return _decode(request_input)


@register_request_codec
class StringRequestCodec(SingleInputRequestCodec):
    InputCodec = StringCodec
    ContentType = StringCodec.ContentType
    TypeHint = List[str]
