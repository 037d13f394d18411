from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, Parameters, ResponseOutput


class Echo(MLModel):
    """Its inputs as outputs, and the header x-say as the header x-said."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        outputs = [
            ResponseOutput(name=i.name, shape=i.shape, datatype=i.datatype, parameters=i.parameters, data=i.data)
            for i in payload.inputs
        ]
        headers = (payload.parameters and payload.parameters.headers) or {}
        said = {"X-Said": headers["x-say"]} if "x-say" in headers else {}
        return InferenceResponse(model_name=self.name, outputs=outputs, parameters=Parameters(headers=said, n=1))
