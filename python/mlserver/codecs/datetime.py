"""`datetime`: a list of times, as ISO 8601 text on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, List, Union

from ..types import RequestInput, ResponseOutput
from .base import InputCodec, register_input_codec
from .errors import CodecError
from .utils import as_input, as_list, bytes_output, is_list_of


def _decode(tensor: Any) -> List[datetime]:
    return [_element(tensor.name, element) for element in as_list(tensor.data.root)]


def _element(name: str, element: Any) -> datetime:
    try:
        return datetime.fromisoformat(element if isinstance(element, str) else bytes(element).decode("ascii"))
    except (ValueError, TypeError) as error:
        raise CodecError(f"tensor '{name}' is no ISO 8601 time: {error}") from None


def _iso(element: Union[str, datetime]) -> str:
    return element if isinstance(element, str) else element.isoformat()


@register_input_codec
class DatetimeCodec(InputCodec):
    ContentType = "datetime"
    TypeHint = List[Union[str, datetime]]

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        return is_list_of(payload, datetime)

    @classmethod
    def encode_output(
        cls, name: str, payload: List[Union[str, datetime]], use_bytes: bool = True, **kwargs: Any
    ) -> ResponseOutput:
        texts = [_iso(element) for element in payload]
        return bytes_output(name, cls.ContentType, [text.encode("ascii") for text in texts] if use_bytes else texts)

    @classmethod
    def decode_output(cls, response_output: ResponseOutput) -> List[datetime]:
        return _decode(response_output)

    @classmethod
    def encode_input(
        cls, name: str, payload: List[Union[str, datetime]], use_bytes: bool = True, **kwargs: Any
    ) -> RequestInput:
        return as_input(cls.encode_output(name, payload, use_bytes))

    @classmethod
    def decode_input(cls, request_input: RequestInput) -> List[datetime]:
        return _decode(request_input)
