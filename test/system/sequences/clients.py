"""tritonclient's view of models with sequences: sends the steps that it is given, one after another, and prints the answers."""

import json
import queue
import sys
import threading

import numpy as np
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient
from tritonclient.utils import InferenceServerException

task = json.load(sys.stdin)


def tensor(module, values):
    given = np.array(values, np.float32).reshape(-1, 1)
    found = module.InferInput("INPUT", list(given.shape), "FP32")
    found.set_data_from_numpy(given)
    return [found]


def flags(step):
    return {"sequence_id": step["id"], "sequence_start": step["start"], "sequence_end": step["end"]}


def told(result, error=None):
    if error is not None:
        return {"status": error.status(), "text": error.message()}
    answer = {}
    for name in ("SUM", "CONTROLS", "ID", "STARTED"):
        values = result.as_numpy(name)
        if values is not None:
            values = values.reshape(-1).tolist()
            answer[name] = [value.decode() if isinstance(value, bytes) else value for value in values]
    return answer


def one_by_one(ask):
    answers = []
    for step in task["steps"]:
        try:
            answers.append(told(ask(step)))
        except InferenceServerException as error:
            answers.append(told(None, error))
    return answers


def grpc():
    with grpcclient.InferenceServerClient(task["grpc"]) as client:
        return one_by_one(lambda step: client.infer(step["model"], tensor(grpcclient, step["values"]), **flags(step)))


def http():
    with httpclient.InferenceServerClient(task["http"]) as client:
        return one_by_one(lambda step: client.infer(step["model"], tensor(httpclient, step["values"]), **flags(step)))


def stream():
    """All steps at once, in one stream: answers come in their order."""
    answers = queue.Queue()
    with grpcclient.InferenceServerClient(task["grpc"]) as client:
        client.start_stream(lambda result, error: answers.put(told(result, error)))
        for step in task["steps"]:
            client.async_stream_infer(step["model"], tensor(grpcclient, step["values"]), **flags(step))
        client.stop_stream()
    return [answers.get() for _ in task["steps"]]


def parallel():
    """Sequences of several clients, each in a thread of its own: what their steps added up to."""
    sums = {}

    def client_of(number):
        with grpcclient.InferenceServerClient(task["grpc"]) as client:
            found = []
            for at in range(task["length"]):
                ends = {"sequence_start": at == 0, "sequence_end": at == task["length"] - 1}
                inputs = tensor(grpcclient, [number * 100 + at])
                answer = client.infer(task["model"], inputs, sequence_id=number, **ends)
                found.append(answer.as_numpy("SUM").item())
            sums[number] = found

    threads = [threading.Thread(target=client_of, args=(number,)) for number in range(1, task["clients"] + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sums


print(json.dumps({"grpc": grpc, "http": http, "stream": stream, "parallel": parallel}[task["via"]]()))
