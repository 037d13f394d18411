from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Sums(MLModel):
    """The sum of its first input, plus nothing: versions differ by name only."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        total = NumpyCodec.decode_input(payload.inputs[0]).sum(keepdims=True).reshape(1)
        return InferenceResponse(
            model_name=self.name, model_version=self.version, outputs=[NumpyCodec.encode_output("total", total)]
        )
