"""Keeps its process busy for a while: a CPU-bound model."""

from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

TURNS = 200_000


class Spin(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        total = 0
        for turn in range(TURNS):
            total += turn
        return InferenceResponse(
            model_name=self.name,
            outputs=[ResponseOutput(name="total", shape=[1, 1], datatype="INT64", data=[total])],
        )
