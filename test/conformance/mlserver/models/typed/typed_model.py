from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

VALUES = {
    "BOOL": [True, False],
    "UINT8": [0, 255],
    "UINT16": [0, 65535],
    "UINT32": [0, 4294967295],
    "UINT64": [0, 9007199254740991],
    "INT8": [-128, 127],
    "INT16": [-32768, 32767],
    "INT32": [-2147483648, 2147483647],
    "INT64": [-9007199254740991, 1],
    "FP32": [-1.5, 0.25],
    "FP64": [-1.5, 0.25],
    "BYTES": ["what".encode(), "is ü".encode()],
}


class Typed(MLModel):
    """One output of each datatype that travels in typed contents."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        wanted = payload.outputs and [output.name for output in payload.outputs]
        return InferenceResponse(
            model_name=self.name,
            model_version=self.version,
            outputs=[
                ResponseOutput(name=name, datatype=name, shape=[2], data=data)
                for name, data in VALUES.items()
                if not wanted or name in wanted
            ],
        )
