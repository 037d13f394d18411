"""Records what MLServer's codecs make of tensors and values, for src/codecs/*.test.ts.

    .venv-mlserver/bin/python scripts/record-codecs.py > test/fixtures/mlserver-codecs.json

Tensors are as the server has them: raw bytes, in hexadecimal. Needs pandas, too.
"""

import json
import struct
import sys
from datetime import datetime, timedelta, timezone

import mlserver
import numpy as np
import pandas as pd
from mlserver.codecs import Base64Codec, DatetimeCodec, NumpyCodec, NumpyRequestCodec, PandasCodec
from mlserver.codecs import StringCodec, StringRequestCodec
from mlserver.codecs.utils import decode_inference_request, decode_request_input
from mlserver.raw import pack, unpack
from mlserver.types import InferenceRequest, MetadataTensor, Parameters, RequestInput

CODECS = {"str": StringCodec, "base64": Base64Codec, "datetime": DatetimeCodec, "np": NumpyCodec}


def packed(elements):
    return b"".join(struct.pack("<I", len(e)) + e for e in elements)


def tensor(name, datatype, shape, raw, content_type=None):
    parameters = Parameters(content_type=content_type) if content_type else None
    made = RequestInput.model_construct(name=name, datatype=datatype, shape=shape, parameters=parameters, data=[])
    made.data = RequestInput(name=name, datatype=datatype, shape=shape, data=unpack(made, raw)).data
    return made


def plain(value):
    """JSON of a decoded value."""
    if isinstance(value, np.ndarray):
        flat = value.flatten()
        return {"shape": list(value.shape), "data": [plain(e) for e in flat.tolist()]}
    if isinstance(value, pd.DataFrame):
        return {name: [plain(e) for e in value[name].tolist()] for name in value}
    if isinstance(value, (list, tuple)):
        return [plain(e) for e in value]
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, datetime):
        # Without offset as UTC, cut to the millisecond: all that a JavaScript Date can hold.
        aware = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        return {"ms": (aware - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)}
    if isinstance(value, float) and value != value:
        return {"float": "NaN"}
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return {"float": "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return {"int": str(value)}
    if isinstance(value, InferenceRequest):
        return {"request": True}
    return value


def outcome(call):
    try:
        return {"value": plain(call())}
    except Exception as error:  # what it raises is part of the record
        return {"error": f"{type(error).__name__}: {error}"}


def spec(t):
    raw = pack(t)
    made = {"name": t.name, "datatype": str(t.datatype), "shape": list(t.shape), "hex": raw.hex()}
    content_type = t.parameters.content_type if t.parameters else None
    if content_type:
        made["content_type"] = content_type
    return made


def decode_cases():
    def case(title, content_type, datatype, shape, raw, declared=None):
        made = tensor("x", datatype, shape, raw, content_type)
        metadata = {}
        if declared:
            metadata = {"x": MetadataTensor(name="x", datatype=datatype, shape=shape, parameters=Parameters(content_type=declared))}
        result = outcome(lambda: decode_request_input(made, metadata))
        return {
            "title": title,
            "tensor": {"name": "x", "datatype": datatype, "shape": shape, "hex": raw.hex()},
            "content_type": content_type,
            "declared": declared,
            **result,
        }

    texts = [b"", "größe 💡".encode(), b"a\x00b"]
    yield case("texts", "str", "BYTES", [3, 1], packed(texts))
    yield case("texts of shape [n]", "str", "BYTES", [3], packed(texts))
    yield case("no texts", "str", "BYTES", [0, 1], b"")
    yield case("bytes that are no UTF-8", "str", "BYTES", [2, 1], packed([b"ok", b"\xff\xfe"]))
    yield case("surrogates, which UTF-8 has none of", "str", "BYTES", [1], packed([b"\xed\xa0\x80"]))
    yield case("overlong UTF-8", "str", "BYTES", [1], packed([b"\xc0\x80"]))
    yield case("a byte order mark stays", "str", "BYTES", [1], packed([b"\xef\xbb\xbfa"]))
    yield case("the declared content type", None, "BYTES", [1], packed([b"YWI="]), "base64")
    yield case("its own before the declared one", "str", "BYTES", [1], packed([b"YWI="]), "base64")
    yield case("neither", None, "BYTES", [1], packed([b"YWI="]))
    yield case("an unknown content type", "mystery", "BYTES", [1], packed([b"YWI="]))
    yield case("an unknown one hides the declared one", "mystery", "BYTES", [1], packed([b"YWI="]), "base64")
    for text in (b"YWI=", b"YQ==", b"", b"YWJj", b"YQ=", b"YQ", b"Y", b"Y===", b"Y Q=", b"YQ==\n", b"YQ==YQ==", b"YR==", b"-_-_", b"+/+/", b"====", b"no base64!", b"\x00\xff\x80\x01"):
        yield case(f"base64 {text!r}", "base64", "BYTES", [1, 1], packed([text]))
    for text in (
        "2021-08-25T15:00:00", "2021-08-25", "20210825", "2021-08-25T15", "2021-08-25T15:30", "2021-08-25 15:00:01",
        "2021-08-25T15:00:00.5", "2021-08-25T15:00:00.123456", "2021-08-25T15:00:00,123456789", "2021-08-25T15:00:00Z",
        "2021-08-25T15:00:00+02:00", "2021-08-25T15:00:00-0530", "2021-08-25T15:00:00+02", "20210825T150000", "20210825T150000.25Z",
        "2021-W34-3", "2021W343", "2021-W34", "2020-W53-7", "2021-W53-1", "2021-08-25T15:00:00+02:00:30", "0001-01-01", "0099-12-31T23:59:59",
        "9999-12-31T23:59:59.999", "1969-12-31T23:59:59.999", "2024-02-29", "2023-02-29", "2021-13-01", "2021-00-10", "2021-01-32", "2021-08-25T24:00:00",
        "2021-08-25T15:60", "2021-08-25T15:00:60", "2021-08", "2021", "today", "", "2021-08-25T", "2021-08-25T15:00:00X", "2021-08-25x15:00:00", "0000-01-01",
        "2021-08-25T15:00:00+24:00", "2021-08-25T1500:00", "2021-0825", "202108-25", "2021-08-25T15:00:00z", " 2021-08-25", "2021-W00-1", "2021-W34-0", "2021-W34-8",
        "2021-08-25T15:00:00.", "2021-08-25T15:00:00 +02:00", "2021-08-25T15.5", "2021-08-25T15:00.5",
    ):
        yield case(f"datetime {text!r}", "datetime", "BYTES", [1, 1], packed([text.encode()]))
    yield case("a datetime that is not ASCII", "datetime", "BYTES", [1], packed(["２021-08-25".encode()]))
    yield case("FP32", "np", "FP32", [2, 3], struct.pack("<6f", 0, -1.5, 1e30, float("nan"), float("inf"), float("-inf")))
    yield case("FP64 of one dimension", "np", "FP64", [2], struct.pack("<2d", 0.1, -0.0))
    yield case("FP16", "np", "FP16", [2, 4], np.array([0, 1, -2, 65504, 6e-8, 1e-4, np.nan, np.inf], np.float16).tobytes())
    yield case("BOOL", "np", "BOOL", [3, 1], b"\x01\x00\x01")
    for code, datatype in zip("BHIQbhiq", ("UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64")):
        kind = np.iinfo(datatype.lower())
        yield case(datatype, "np", datatype, [1, 2], struct.pack(f"<2{code}", int(kind.min), int(kind.max)))
    yield case("a scalar", "np", "INT32", [], struct.pack("<i", 7))
    yield case("an empty array", "np", "FP32", [0, 4], b"")
    yield case("numbers are not asked to be texts", None, "FP32", [1], struct.pack("<f", 1))


def encode_cases():
    def case(title, content_type, value, payload):
        return {"title": title, "content_type": content_type, "value": value, "tensor": spec(CODECS[content_type].encode_output("y", payload))}

    yield case("texts", "str", ["", "größe 💡"], ["", "größe 💡"])
    yield case("no texts", "str", [], [])
    yield case("bytes", "base64", [{"hex": "00ff80"}, {"hex": ""}, {"hex": "6162"}], [b"\x00\xff\x80", b"", b"ab"])
    at = datetime(2021, 8, 25, 15, 0, 0, tzinfo=timezone.utc)
    yield case("datetimes", "datetime", [{"ms": int(at.timestamp() * 1000)}, {"ms": int(at.timestamp() * 1000) + 7}], [at, at.replace(microsecond=7000)])
    yield case("datetimes that are texts", "datetime", ["2021-08-25T15:00:00"], ["2021-08-25T15:00:00"])

    def array(title, datatype, values, shape):
        payload = np.array(values, datatype).reshape(shape)
        return case(title, "np", {"datatype": title.split()[0], "shape": shape, "data": plain(payload)["data"]}, payload)

    yield array("FP32 of one dimension", "float32", [1.5, -2, 0.25], [3])
    yield array("FP64", "float64", [1.5, -2, 0.1, 4], [2, 2])
    # The last ones are halfway between two halves, or round over.
    yield array("FP16", "float16", [1, 0.1, 65504, 6e-8, 2**-24, 0.00006103515625, -0.333], [7, 1])
    yield array("BOOL", "bool", [True, False], [2])
    for datatype in ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"):
        kind = np.iinfo(datatype)
        yield array(datatype.upper(), datatype, [int(kind.min), int(kind.max)], [1, 2])
    yield array("INT32 of three dimensions", "int32", list(range(8)), [2, 2, 2])
    yield array("FP32 without elements", "float32", [], [0, 4])


def half_cases():
    """Singles to halves and back, bit by bit: numpy's rounding."""
    singles = [0.0, -0.0, 1.0, 1.0009765625, 1.00048828125, 1.001464843750, 2049.0, 2051.0, 65504.0, 65519.0, 65520.0, 1e9, -1e9, 2.0**-14, 2.0**-15, 2.0**-24, 2.0**-25, 2.0**-25 * 1.5, 2.0**-26, 6.1e-5, 0.1, 3.14159, float("inf"), float("-inf"), float("nan")]
    as_singles = np.array(singles, np.float32)
    with np.errstate(over="ignore"):
        halves = as_singles.astype(np.float16)
    return {"singles": as_singles.tobytes().hex(), "halves": halves.tobytes().hex(), "back": halves.astype(np.float32).tobytes().hex()}


def request_cases():
    def case(title, content_type, inputs, declared=None):
        request = InferenceRequest(inputs=[tensor(*i) for i in inputs], parameters=Parameters(content_type=content_type) if content_type else None)
        names = ("name", "datatype", "shape", "hex", "content_type")
        described = [dict(zip(names, (i[0], i[1], i[2], i[3].hex(), i[4] if len(i) > 4 else None))) for i in inputs]
        metadata = {n: MetadataTensor(name=n, datatype="BYTES", shape=[-1, 1], parameters=Parameters(content_type=c)) for n, c in (declared or {}).items()}
        result = outcome(lambda: decode_inference_request(request, None, metadata))
        return {"title": title, "content_type": content_type, "declared": declared, "inputs": described, **result}

    text = ("a", "BYTES", [2, 1], packed([b"x", b"y"]))
    numbers = ("n", "INT64", [2, 1], struct.pack("<2q", 3, 4))
    yield case("str", "str", [text])
    yield case("str of two inputs", "str", [text, numbers])
    yield case("np", "np", [numbers])
    yield case("np of none", "np", [])
    yield case("str of an input that says base64", "str", [("a", "BYTES", [1, 1], packed([b"YWI="]), "base64")])
    yield case("pd", "pd", [text + ("str",), numbers, ("f", "FP32", [2], struct.pack("<2f", 0.5, -1)), ("b", "BOOL", [2, 1], b"\x01\x00")])
    yield case("pd with np columns", "pd", [("m", "FP64", [2, 1], struct.pack("<2d", 1, 2), "np")])
    yield case("pd with JSON cells", "pd", [("j", "BYTES", [3, 1], packed([b'{"a":[1,null]}', b"null", b'"t"']), "pd_json")])
    yield case("pd with a declared codec", "pd", [text], {"a": "str"})
    yield case("pd with columns of different length", "pd", [text, ("n", "INT64", [1, 1], struct.pack("<q", 3))])
    yield case("pd with two values a row", "pd", [("m", "FP64", [2, 2], struct.pack("<4d", 1, 2, 3, 4), "np")])
    yield case("pd with a cell that is no JSON", "pd", [("j", "BYTES", [1, 1], packed([b"{"]), "pd_json")])
    yield case("pd of no inputs", "pd", [])
    yield case("neither", None, [text])
    yield case("an unknown content type", "mystery", [text])


def response_cases():
    def case(title, content_type, value, response):
        return {"title": title, "content_type": content_type, "value": value, "parameters": response.parameters.model_dump(), "outputs": [spec(o) for o in response.outputs]}

    yield case("str", "str", ["a", "b"], StringRequestCodec.encode_response("m", ["a", "b"]))
    yield case("np", "np", {"datatype": "FP32", "shape": [2], "data": [1.5, 2]}, NumpyRequestCodec.encode_response("m", np.array([1.5, 2], np.float32)))
    columns = {"t": ["a", "ü"], "i": [1, -2], "f": [0.5, 2], "b": [True, False], "j": [{"k": [1, None]}, "é"]}
    yield case("pd", "pd", columns, PandasCodec.encode_response("m", pd.DataFrame({k: pd.Series(v, dtype=object if k in "tj" else None) for k, v in columns.items()})))
    yield case("pd without rows", "pd", {}, PandasCodec.encode_response("m", pd.DataFrame({})))


record = {
    "mlserver": mlserver.__version__,
    "decode": list(decode_cases()),
    "encode": list(encode_cases()),
    "halves": half_cases(),
    "requests": list(request_cases()),
    "responses": list(response_cases()),
}
json.dump(record, sys.stdout, ensure_ascii=False, indent=1)
