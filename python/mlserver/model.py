"""The base class of runtimes."""

from __future__ import annotations

from typing import Any, AsyncIterator, Dict, List, Optional

from . import codecs
from .codecs.errors import CodecNotFound
from .settings import ModelSettings
from .types import (
    InferenceRequest,
    InferenceResponse,
    MetadataModelResponse,
    MetadataTensor,
    Parameters,
    RequestInput,
    RequestOutput,
    ResponseOutput,
)


def _by_name(tensors: Optional[List[MetadataTensor]]) -> Dict[str, MetadataTensor]:
    return {tensor.name: tensor for tensor in tensors or []}


class MLModel:
    """A runtime has `predict`, `predict_stream` or both; the rest may be left as it is."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._inputs_index = _by_name(settings.inputs)
        self._outputs_index = _by_name(settings.outputs)
        self.ready = False

    async def load(self) -> bool:
        """Once, before any request. False: the model is not ready, and never will be."""
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """One response to one request."""
        raise NotImplementedError("predict() method not implemented")

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        """Any number of responses to the requests of a stream."""
        yield await self.predict(await payloads.__anext__())

    async def unload(self) -> bool:
        """Once, after the last call has ended."""
        return True

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def version(self) -> Optional[str]:
        return self._settings.version

    @property
    def settings(self) -> ModelSettings:
        return self._settings

    @property
    def inputs(self) -> Optional[List[MetadataTensor]]:
        """May be set in `load`."""
        return self._settings.inputs

    @inputs.setter
    def inputs(self, value: List[MetadataTensor]) -> None:
        self._settings.inputs = value
        self._inputs_index = _by_name(value)

    @property
    def outputs(self) -> Optional[List[MetadataTensor]]:
        """May be set in `load`."""
        return self._settings.outputs

    @outputs.setter
    def outputs(self, value: List[MetadataTensor]) -> None:
        self._settings.outputs = value
        self._outputs_index = _by_name(value)

    def decode(self, request_input: RequestInput, default_codec: Any = None) -> Any:
        """By the input's content type, else the metadata's, else `default_codec`; else the data as they are."""
        codecs.decode_request_input(request_input, self._inputs_index)
        if codecs.has_decoded(request_input):
            return codecs.get_decoded(request_input)
        return request_input.data if default_codec is None else default_codec.decode_input(request_input)

    def decode_request(self, inference_request: InferenceRequest, default_codec: Any = None) -> Any:
        """By the request's content type, else the model's, else `default_codec`; else the request, its inputs decoded."""
        codecs.decode_inference_request(inference_request, self._settings, self._inputs_index)
        if codecs.has_decoded(inference_request):
            return codecs.get_decoded(inference_request)
        return inference_request if default_codec is None else default_codec.decode_request(inference_request)

    def encode(self, payload: Any, request_output: RequestOutput, default_codec: Any = None) -> ResponseOutput:
        """By the output's content type, else the metadata's, else what the payload is, else `default_codec`."""
        output = codecs.encode_response_output(payload, request_output, self._outputs_index)
        if output is not None:
            return output
        if default_codec is not None:
            return default_codec.encode_output(request_output.name, payload)
        raise CodecNotFound(name=request_output.name)

    def encode_response(self, payload: Any, default_codec: Any = None) -> InferenceResponse:
        """By what the payload is, else `default_codec`."""
        response = codecs.encode_inference_response(payload, self._settings)
        if response is not None:
            return response
        if default_codec is not None:
            return default_codec.encode_response(self.name, payload, self.version)
        raise CodecNotFound(payload_type=str(type(payload)), is_request=True)

    async def metadata(self) -> MetadataModelResponse:
        settings = self._settings
        parameters = settings.parameters and Parameters(content_type=settings.parameters.content_type)
        return MetadataModelResponse(
            name=self.name,
            platform=settings.platform,
            versions=settings.versions,
            inputs=settings.inputs,
            outputs=settings.outputs,
            parameters=parameters,
        )
