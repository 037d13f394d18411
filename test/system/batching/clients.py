"""tritonclient's view of a model that batches: prints what came back, as JSON."""

import json
import queue
import sys
import threading

import numpy as np
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient

addresses = json.load(sys.stdin)
ROUNDS, CLIENTS = 4, 12


def grpc_input(rows):
    tensor = grpcclient.InferInput("INPUT", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows)
    return tensor


def own_rows(client, rounds):
    """Rows that no other client asks for, and a different number of them each time."""
    return [np.array([[client, turn]] * (1 + (client + turn) % 3), np.float32) for turn in range(rounds)]


def unary(client, wrong):
    with grpcclient.InferenceServerClient(addresses["grpc"]) as connection:
        for rows in own_rows(client, ROUNDS):
            result = connection.infer("steady", [grpc_input(rows)]).as_numpy("OUTPUT")
            if not np.array_equal(result, rows):
                wrong.append([rows.tolist(), result.tolist()])


def rest(client, wrong):
    with httpclient.InferenceServerClient(addresses["http"]) as connection:
        for rows in own_rows(client, ROUNDS):
            tensor = httpclient.InferInput("INPUT", list(rows.shape), "FP32")
            tensor.set_data_from_numpy(rows)
            result = connection.infer("steady", [tensor]).as_numpy("OUTPUT")
            if not np.array_equal(result, rows):
                wrong.append([rows.tolist(), result.tolist()])


def stream(client, wrong):
    answers = queue.Queue()
    with grpcclient.InferenceServerClient(addresses["grpc"]) as connection:
        connection.start_stream(lambda result, error: answers.put((result, error)))
        asked = own_rows(client, ROUNDS)
        for turn, rows in enumerate(asked):
            connection.async_stream_infer("steady", [grpc_input(rows)], request_id=f"{client}-{turn}")
        for turn, rows in enumerate(asked):
            result, error = answers.get(timeout=60)
            given = error or (result.get_response().id, result.as_numpy("OUTPUT").tolist())
            if given != (f"{client}-{turn}", rows.tolist()):
                wrong.append([rows.tolist(), str(given)])
        connection.stop_stream()


wrong = []
kinds = (unary, rest, stream)
threads = [threading.Thread(target=kinds[n % 3], args=(n, wrong)) for n in range(CLIENTS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

with grpcclient.InferenceServerClient(addresses["grpc"]) as connection:
    stats = connection.get_inference_statistics("steady", as_json=True)["model_stats"][0]
with httpclient.InferenceServerClient(addresses["http"]) as connection:
    http_stats = connection.get_inference_statistics("steady")["model_stats"][0]
print(
    json.dumps(
        {
            "wrong": wrong,
            "requests": ROUNDS * CLIENTS,
            "rows": sum(len(rows) for n in range(CLIENTS) for rows in own_rows(n, ROUNDS)),
            "inferences": int(stats["inference_count"]),
            "executions": int(stats["execution_count"]),
            "queued": int(stats["inference_stats"]["queue"]["count"]),
            "batches": [[int(b["batch_size"]), int(b["compute_infer"]["count"])] for b in stats["batch_stats"]],
            "http_batches": [[b["batch_size"], b["compute_infer"]["count"]] for b in http_stats["batch_stats"]],
        }
    )
)
