"""
Calls a secured server with Triton's clients. Reads {"grpc", "http", "ca", "cert"?, "key"?, "token"?} from standard input, where
grpc and http are host:port, and prints what each call gave: its result, or the status that it failed with.
"""

import json
import queue
import sys

import numpy as np
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from tritonclient.utils import InferenceServerException


def outcome(call):
    try:
        return call()
    except InferenceServerException as error:
        return {"status": str(error.status()), "message": error.message()}
    except Exception as error:  # what TLS refuses comes as whatever the transport throws
        return {"status": type(error).__name__, "message": str(error)}


def grpc_calls(at, headers):
    tls = {"root_certificates": at["ca"], "private_key": at.get("key"), "certificate_chain": at.get("cert")}
    with grpcclient.InferenceServerClient(at["grpc"], ssl=True, **tls) as client:

        def infer():
            given = grpcclient.InferInput("input", [1], "FP32")
            given.set_data_from_numpy(np.array([2], dtype=np.float32))
            return client.infer("counter", [given], headers=headers, client_timeout=20).as_numpy("output").tolist()

        def stream():
            answers = queue.Queue()
            client.start_stream(callback=lambda result, error: answers.put((result, error)), headers=headers)
            try:
                sums = []
                for value in (1, 2):
                    given = grpcclient.InferInput("input", [1], "FP32")
                    given.set_data_from_numpy(np.array([value], dtype=np.float32))
                    try:
                        client.async_stream_infer("counter", [given])
                    except InferenceServerException:
                        pass  # the stream has ended before; why is in the queue
                    result, error = answers.get(timeout=20)
                    if error is not None:
                        raise error
                    sums.append(result.as_numpy("output").tolist()[0])
                return sums
            finally:
                client.stop_stream()

        return {
            "live": outcome(lambda: client.is_server_live(client_timeout=20)),
            "metadata": outcome(lambda: client.get_model_metadata("counter", headers=headers, client_timeout=20).name),
            "infer": outcome(infer),
            "stream": outcome(stream),
            "unload": outcome(lambda: client.unload_model("nothing", headers=headers)),
        }


def http_calls(at, headers):
    tls = {"ca_certs": at["ca"]}
    if "cert" in at:
        tls.update(certfile=at["cert"], keyfile=at["key"])
    with httpclient.InferenceServerClient(at["http"], ssl=True, ssl_options=tls) as client:

        def infer():
            given = httpclient.InferInput("INPUT0", [3], "INT64")
            given.set_data_from_numpy(np.array([1, 2, 3], dtype=np.int64))
            return client.infer("identity", [given], headers=headers).as_numpy("OUTPUT0").tolist()

        return {
            "live": outcome(client.is_server_live),
            "metadata": outcome(lambda: client.get_model_metadata("counter", headers=headers)["name"]),
            "infer": outcome(infer),
            "index": outcome(lambda: sorted(each["name"] for each in client.get_model_repository_index(headers=headers))),
        }


at = json.load(sys.stdin)
headers = {"authorization": f"Bearer {at['token']}"} if "token" in at else None
print(json.dumps({"grpc": outcome(lambda: grpc_calls(at, headers)), "http": outcome(lambda: http_calls(at, headers))}))
