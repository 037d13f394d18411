"""Runs the checks of a script against the server named in the JSON on standard input, and prints the results as JSON.

Input {"grpc": "127.0.0.1:9000", "http": "127.0.0.1:8080"}; output {"<check>": "ok" or what went wrong}. Names on the
command line choose checks.
"""

import json
import queue
import sys
import traceback
from dataclasses import dataclass, field

import ml_dtypes
import numpy as np

TIMEOUT_S = 20


@dataclass
class Addresses:
    grpc: str
    http: str


CHECKS = []


def check(function):
    """Registers a check: a function of the addresses that raises where the server is wrong."""
    CHECKS.append(function)
    return function


def main():
    addresses = Addresses(**json.load(sys.stdin))
    results = {}
    for function in CHECKS:
        name = function.__name__.replace("_", " ")
        if len(sys.argv) > 1 and function.__name__ not in sys.argv[1:]:
            continue
        try:
            function(addresses)
            results[name] = "ok"
        except Exception:
            results[name] = traceback.format_exc(limit=-3)
    print(json.dumps(results))


def equal(actual, expected, what=""):
    """Raises unless both are equal; arrays also in datatype and shape, NaN equal to itself."""
    if isinstance(expected, np.ndarray):
        same = (
            isinstance(actual, np.ndarray)
            and actual.dtype == expected.dtype
            and actual.shape == expected.shape
            and (expected.tolist() == actual.tolist() if expected.dtype == object else expected.tobytes() == actual.tobytes())
        )
    else:
        same = actual == expected
    if not same:
        raise AssertionError(f"{what}: {actual!r} came, {expected!r} expected")


def raises(exception, call):
    """The exception of that class that `call` raises."""
    try:
        call()
    except exception as error:
        return error
    raise AssertionError(f"no {exception.__name__}")


# Each datatype with values at its limits.
ARRAYS = {
    "BOOL": np.array([True, False, True], np.bool_),
    "INT8": np.array([-128, 0, 127], np.int8),
    "INT16": np.array([-32768, 1, 32767], np.int16),
    "INT32": np.array([-(2**31), 2**31 - 1], np.int32),
    "INT64": np.array([-(2**63), 2**63 - 1, 2**53 + 1], np.int64),
    "UINT8": np.array([0, 255], np.uint8),
    "UINT16": np.array([0, 65535], np.uint16),
    "UINT32": np.array([0, 2**32 - 1], np.uint32),
    "UINT64": np.array([0, 2**64 - 1, 2**53 + 1], np.uint64),
    "FP16": np.array([0.5, -65504, np.inf, np.nan], np.float16),
    "BF16": np.array([0.5, -3e38, 1e-38], ml_dtypes.bfloat16),
    "FP32": np.array([0.1, -3.4028235e38, 1e-45, -np.inf, np.nan], np.float32),
    "FP64": np.array([0.1, 1.7976931348623157e308, 5e-324, -0.0], np.float64),
    "BYTES": np.array([b"a\0b", b"", b"\xff\xfe", "grün".encode()], np.object_),
}


@dataclass
class Responses:
    """The callback of a stream, and what it was called with."""

    queue: "queue.Queue" = field(default_factory=queue.Queue)

    def __call__(self, result, error):
        self.queue.put((result, error))

    def next(self):
        """The next result; an error raises."""
        result, error = self.queue.get(timeout=TIMEOUT_S)
        if error is not None:
            raise error
        return result

    def next_error(self):
        result, error = self.queue.get(timeout=TIMEOUT_S)
        if error is None:
            raise AssertionError(f"an error expected, {result.get_response()} came")
        return error
