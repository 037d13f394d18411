"""What codecs share, and how a message finds its codec."""

from __future__ import annotations

from typing import Any, ClassVar, Iterator, List, Mapping, Optional, Type

from ..types import InferenceRequest, InferenceResponse, Parameters, RequestInput, RequestOutput, ResponseOutput, TensorData
from .base import InputCodec, RequestCodec, find_input_codec, find_request_codec
from .errors import CodecError

DecodedParameterName = "_decoded_payload"


def as_list(payload: Any) -> Iterator[Any]:
    """The elements, flat; one alone is a list of it."""
    if isinstance(payload, (list, tuple)):
        for element in payload:
            yield from as_list(element)
    else:
        yield payload


def is_list_of(payload: Any, kind: type) -> bool:
    return isinstance(payload, list) and all(isinstance(element, kind) for element in payload)


def inject_batch_dimension(shape: List[int]) -> List[int]:
    """[n] is [n, 1]."""
    return shape if len(shape) > 1 else [*shape, 1]


def bytes_output(name: str, content_type: str, data: List[Any]) -> ResponseOutput:
    """A BYTES tensor of shape [n, 1]."""
    return ResponseOutput.model_construct(
        name=name,
        datatype="BYTES",
        shape=[len(data), 1],
        data=TensorData(data),
        parameters=Parameters.model_construct(content_type=content_type),
    )


def as_input(output: ResponseOutput) -> RequestInput:
    return RequestInput(
        name=output.name,
        datatype=output.datatype,
        shape=output.shape,
        data=output.data,
        parameters=output.parameters,
    )


def _content_type(message: Any, metadata: Any) -> Optional[str]:
    """The message's own, else the metadata's."""
    for source in (message, metadata):
        parameters = getattr(source, "parameters", None)
        if parameters is not None and parameters.content_type:
            return str(parameters.content_type)
    return None


def _save_decoded(message: Any, decoded: Any) -> None:
    if message.parameters is None:
        message.parameters = Parameters()
    setattr(message.parameters, DecodedParameterName, decoded)


def has_decoded(message: Any) -> bool:
    return message.parameters is not None and hasattr(message.parameters, DecodedParameterName)


def get_decoded(message: Any) -> Any:
    return getattr(message.parameters, DecodedParameterName) if has_decoded(message) else None


def get_decoded_or_raw(message: Any) -> Any:
    """The value, else a tensor's data, else the message."""
    if has_decoded(message):
        return get_decoded(message)
    return message.data if isinstance(message, (RequestInput, ResponseOutput)) else message


def decode_request_input(request_input: RequestInput, metadata_inputs: Optional[Mapping[str, Any]] = None) -> Any:
    """None where no content type is said, or an unknown one."""
    codec = find_input_codec(_content_type(request_input, (metadata_inputs or {}).get(request_input.name)))
    if codec is None:
        return None
    decoded = codec.decode_input(request_input)
    _save_decoded(request_input, decoded)
    return decoded


def decode_inference_request(
    inference_request: InferenceRequest,
    model_settings: Any = None,
    metadata_inputs: Optional[Mapping[str, Any]] = None,
) -> Any:
    """The whole request's value where its codec is known, else the request with its inputs decoded."""
    for request_input in inference_request.inputs:
        decode_request_input(request_input, metadata_inputs)
    codec = find_request_codec(_content_type(inference_request, model_settings))
    if codec is None:
        return inference_request
    decoded = codec.decode_request(inference_request)
    _save_decoded(inference_request, decoded)
    return decoded


def encode_response_output(
    payload: Any, request_output: RequestOutput, metadata_outputs: Optional[Mapping[str, Any]] = None
) -> Optional[ResponseOutput]:
    """None where there is no codec for it."""
    content_type = _content_type(request_output, (metadata_outputs or {}).get(request_output.name))
    codec = find_input_codec(content_type) if content_type else find_input_codec(payload=payload)
    return None if codec is None else codec.encode_output(name=request_output.name, payload=payload)


def encode_inference_response(payload: Any, model_settings: Any) -> Optional[InferenceResponse]:
    """None where there is no codec for it."""
    codec = find_request_codec(payload=payload)
    return None if codec is None else codec.encode_response(model_settings.name, payload, model_settings.version)


class SingleInputRequestCodec(RequestCodec):
    """A message of one tensor."""

    InputCodec: ClassVar[Type[InputCodec]] = InputCodec

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        return cls.InputCodec.can_encode(payload)

    @classmethod
    def encode_response(
        cls, model_name: str, payload: Any, model_version: Optional[str] = None, **kwargs: Any
    ) -> InferenceResponse:
        return InferenceResponse(
            model_name=model_name,
            model_version=model_version,
            parameters=Parameters(content_type=cls.ContentType),
            outputs=[cls.InputCodec.encode_output("output-1", payload, **kwargs)],
        )

    @classmethod
    def encode_request(cls, payload: Any, **kwargs: Any) -> InferenceRequest:
        return InferenceRequest(
            parameters=Parameters(content_type=cls.ContentType),
            inputs=[cls.InputCodec.encode_input("input-1", payload, **kwargs)],
        )

    @classmethod
    def decode_response(cls, response: InferenceResponse) -> Any:
        return cls._decode(response.outputs, "output", cls.InputCodec.decode_output)

    @classmethod
    def decode_request(cls, request: InferenceRequest) -> Any:
        return cls._decode(request.inputs, "input", cls.InputCodec.decode_input)

    @classmethod
    def _decode(cls, tensors: List[Any], what: str, decode: Any) -> Any:
        if len(tensors) != 1:
            raise CodecError(f"the '{cls.ContentType}' codec takes a single {what} tensor, {len(tensors)} given")
        if not has_decoded(tensors[0]):
            _save_decoded(tensors[0], decode(tensors[0]))
        return get_decoded(tensors[0])
