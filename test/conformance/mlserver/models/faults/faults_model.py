from typing import AsyncIterator

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.errors import MLServerError
from mlserver.types import InferenceRequest, InferenceResponse


class Faults(MLModel):
    """`N STATUS`: N responses, then an MLServerError of that status; without one, a ValueError."""

    def _answer(self, text: str) -> InferenceResponse:
        return InferenceResponse(model_name=self.name, outputs=[StringCodec.encode_output("text", [text])])

    def _fail(self, words):
        if len(words) > 1:
            raise MLServerError("typed fault", int(words[1]))
        raise ValueError("plain fault")

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        self._fail(StringCodec.decode_input(payload.inputs[0])[0].split())

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        async for payload in payloads:
            words = StringCodec.decode_input(payload.inputs[0])[0].split()
            for i in range(int(words[0])):
                yield self._answer(str(i))
            self._fail(words)
