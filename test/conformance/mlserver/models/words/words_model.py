from typing import AsyncIterator

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Words(MLModel):
    """Each word of each request's text, in a response of its own."""

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        async for payload in payloads:
            for text in StringCodec.decode_input(payload.inputs[0]):
                for word in text.split():
                    yield InferenceResponse(
                        model_name=self.name, outputs=[StringCodec.encode_output("word", [word])]
                    )
