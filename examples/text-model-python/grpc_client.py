"""The gRPC client of MLServer's streaming page; the argument is the server's address, localhost:8081 if there is none."""

import asyncio
import sys
from pathlib import Path

import grpc
import mlserver.grpc.converters as converters
import mlserver.grpc.dataplane_pb2_grpc as dataplane
import mlserver.types as types
from mlserver.codecs import StringCodec
from mlserver.grpc.converters import ModelInferResponseConverter

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "localhost:8081"
inference_request = types.InferenceRequest.parse_file(Path(__file__).with_name("generate-request.json"))

# need to convert from string to bytes for grpc
inference_request.inputs[0] = StringCodec.encode_input("prompt", inference_request.inputs[0].data.root)
inference_request_g = converters.ModelInferRequestConverter.from_types(
    inference_request, model_name="text-model", model_version=None
)


async def get_inference_request_stream(inference_request):
    yield inference_request


async def main():
    async with grpc.aio.insecure_channel(ADDRESS) as grpc_channel:
        grpc_stub = dataplane.GRPCInferenceServiceStub(grpc_channel)
        inference_request_stream = get_inference_request_stream(inference_request_g)

        async for response in grpc_stub.ModelStreamInfer(inference_request_stream):
            response = ModelInferResponseConverter.to_types(response)
            print(StringCodec.decode_output(response.outputs[0]))


asyncio.run(main())
