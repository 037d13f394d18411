"""Sends several unary requests at once with tritonclient and prints what each was answered, as JSON.

Input: {"address": "host:port", "requests": [["text", ...], ...]}, the texts of one request being its rows.
"""

import asyncio
import json
import sys

import numpy as np
import tritonclient.grpc.aio as grpcclient


async def main() -> None:
    asked = json.load(sys.stdin)
    async with grpcclient.InferenceServerClient(asked["address"]) as client:

        async def infer(at: int, texts: list[str]) -> dict:
            tensor = grpcclient.InferInput("text", [len(texts), 1], "BYTES")
            tensor.set_data_from_numpy(np.array([[text.encode()] for text in texts], dtype=np.object_))
            result = await client.infer("batched", [tensor], request_id=f"r{at}")
            upper = result.as_numpy("upper")
            return {
                "id": result.get_response().id,
                "upper": [row[0].decode() for row in upper],
                "rows": result.as_numpy("rows").tolist(),
            }

        answers = await asyncio.gather(*(infer(at, texts) for at, texts in enumerate(asked["requests"])))
    print(json.dumps(answers))


asyncio.run(main())
