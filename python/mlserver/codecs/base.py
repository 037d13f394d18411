"""The two kinds of codecs, and which are known."""

from __future__ import annotations

from typing import Any, ClassVar, Dict, List, Optional, Type, TypeVar, Union

from ..types import InferenceRequest, InferenceResponse, RequestInput, ResponseOutput


class InputCodec:
    """Between one tensor and a Python value. A subclass has a `ContentType`, and a `TypeHint` for `decode_args`."""

    ContentType: ClassVar[str] = ""
    TypeHint: ClassVar[Any] = type(None)

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        return False

    @classmethod
    def encode_output(cls, name: str, payload: Any, **kwargs: Any) -> ResponseOutput:
        raise NotImplementedError

    @classmethod
    def decode_output(cls, response_output: ResponseOutput) -> Any:
        raise NotImplementedError

    @classmethod
    def encode_input(cls, name: str, payload: Any, **kwargs: Any) -> RequestInput:
        raise NotImplementedError

    @classmethod
    def decode_input(cls, request_input: RequestInput) -> Any:
        raise NotImplementedError

    @classmethod
    def encode(cls, name: str, payload: Any) -> ResponseOutput:
        """The old name of `encode_output`."""
        return cls.encode_output(name, payload)

    @classmethod
    def decode(cls, request_input: RequestInput) -> Any:
        """The old name of `decode_input`."""
        return cls.decode_input(request_input)


class RequestCodec:
    """Between a whole message and a Python value."""

    ContentType: ClassVar[str] = ""
    TypeHint: ClassVar[Any] = type(None)

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        return False

    @classmethod
    def encode_response(
        cls, model_name: str, payload: Any, model_version: Optional[str] = None, **kwargs: Any
    ) -> InferenceResponse:
        raise NotImplementedError

    @classmethod
    def decode_response(cls, response: InferenceResponse) -> Any:
        raise NotImplementedError

    @classmethod
    def encode_request(cls, payload: Any, **kwargs: Any) -> InferenceRequest:
        raise NotImplementedError

    @classmethod
    def decode_request(cls, request: InferenceRequest) -> Any:
        raise NotImplementedError

    @classmethod
    def encode(cls, model_name: str, payload: Any, model_version: Optional[str] = None) -> InferenceResponse:
        """The old name of `encode_response`."""
        return cls.encode_response(model_name, payload, model_version)

    @classmethod
    def decode(cls, request: InferenceRequest) -> Any:
        """The old name of `decode_request`."""
        return cls.decode_request(request)


InputCodecLike = Union[Type[InputCodec], InputCodec]
RequestCodecLike = Union[Type[RequestCodec], RequestCodec]
Like = TypeVar("Like")


class Registry:
    """Codecs of one kind by content type, in the order in which they were registered."""

    def __init__(self) -> None:
        self._codecs: Dict[str, Any] = {}

    def register(self, codec: Any) -> Any:
        self._codecs[codec.ContentType] = codec
        return codec

    def find(self, content_type: Optional[str] = None, payload: Any = None, type_hint: Any = None) -> Any:
        """By the first of them that is given. None where there is none."""
        if content_type:
            return self._codecs.get(content_type)
        if payload is not None:
            return _first([codec for codec in self._codecs.values() if codec.can_encode(payload)])
        if type_hint is not None:
            return _first([codec for codec in self._codecs.values() if _hints(codec, type_hint)])
        return None


def _first(found: List[Any]) -> Any:
    return found[0] if found else None


def _hints(codec: Any, type_hint: Any) -> bool:
    """A codec whose type is costly to import says so by name."""
    name = f"{getattr(type_hint, '__module__', '')}.{getattr(type_hint, '__qualname__', '')}"
    return bool(codec.TypeHint == type_hint or codec.TypeHint == name)


input_codecs = Registry()
request_codecs = Registry()


def register_input_codec(codec: Like) -> Like:
    input_codecs.register(codec)
    return codec


def register_request_codec(codec: Like) -> Like:
    request_codecs.register(codec)
    return codec


def find_input_codec(content_type: Optional[str] = None, payload: Any = None, type_hint: Any = None) -> Any:
    return input_codecs.find(content_type, payload, type_hint)


def find_request_codec(content_type: Optional[str] = None, payload: Any = None, type_hint: Any = None) -> Any:
    return request_codecs.find(content_type, payload, type_hint)
