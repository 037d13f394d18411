"""The REST client of MLServer's streaming page; the argument is the server's address, http://localhost:8080 if there is none."""

import sys
from pathlib import Path

import httpx
from httpx_sse import connect_sse
from mlserver import types
from mlserver.codecs import StringCodec

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8080"
inference_request = types.InferenceRequest.parse_file(Path(__file__).with_name("generate-request.json"))

with httpx.Client() as client:
    with connect_sse(client, "POST", f"{ADDRESS}/v2/models/text-model/generate_stream", json=inference_request.dict()) as event_source:
        for sse in event_source.iter_sse():
            response = types.InferenceResponse.parse_raw(sse.data)
            print(StringCodec.decode_output(response.outputs[0]))
