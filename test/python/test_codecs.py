"""Codecs and types: run with the real `mlserver` package and with the one that stands in for it, which must agree."""

import asyncio
import json
import unittest
from datetime import datetime, timezone
from typing import List, Optional

import mlserver
import numpy as np
from mlserver import MLModel, ModelSettings
from mlserver.codecs import (
    Base64Codec,
    CodecError,
    DatetimeCodec,
    NumpyCodec,
    NumpyRequestCodec,
    StringCodec,
    StringRequestCodec,
    decode_args,
)
from mlserver.codecs.errors import CodecNotFound, InputsNotFound, OutputNotFound
from mlserver.errors import InferenceError, InvalidModelURI, MLServerError, ModelNotFound
from mlserver.types import (
    Datatype,
    InferenceRequest,
    InferenceResponse,
    MetadataTensor,
    Parameters,
    RequestInput,
    RequestOutput,
    ResponseOutput,
    TensorData,
)
from mlserver.utils import get_model_uri

IS_OURS = mlserver.__version__.endswith("+millrace")


def an_input(data, shape, datatype="BYTES", content_type=None, name="x"):
    parameters = Parameters(content_type=content_type) if content_type else None
    return RequestInput(name=name, shape=shape, datatype=datatype, data=data, parameters=parameters)


class Types(unittest.TestCase):
    def test_a_request_from_json(self):
        text = json.dumps(
            {
                "id": "7",
                "inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "data": ["a"], "parameters": {"own": 3}}],
                "outputs": [{"name": "y"}],
            }
        )
        for request in (InferenceRequest.parse_raw(text), InferenceRequest.model_validate(json.loads(text))):
            self.assertEqual(request.id, "7")
            self.assertEqual(request.inputs[0].data.root, ["a"])
            self.assertEqual(request.inputs[0].data[0], "a")
            self.assertEqual(list(request.inputs[0].data), ["a"])
            self.assertEqual(len(request.inputs[0].data), 1)
            self.assertEqual(request.inputs[0].datatype, "BYTES")
            self.assertEqual(request.inputs[0].parameters.own, 3)
            self.assertIsNone(request.inputs[0].parameters.content_type)
            self.assertIsNone(request.parameters)
            self.assertEqual(request.outputs[0].name, "y")

    def test_to_json_and_back(self):
        response = InferenceResponse(model_name="m", outputs=[StringCodec.encode_output("y", ["ä"], use_bytes=False)])
        plain = response.model_dump()
        self.assertEqual(
            plain,
            {
                "model_name": "m",
                "outputs": [
                    {
                        "name": "y",
                        "shape": [1, 1],
                        "datatype": "BYTES",
                        "data": ["ä"],
                        "parameters": {"content_type": "str"},
                    }
                ],
            },
        )
        again = InferenceResponse.parse_raw(response.model_dump_json())
        self.assertEqual(StringCodec.decode_output(again.outputs[0]), ["ä"])
        self.assertEqual(again.dict(exclude_none=True)["outputs"][0]["data"], ["ä"])

    def test_what_is_wrong_is_refused(self):
        for fields in (
            {"name": "x", "shape": [1], "datatype": "FLOAT", "data": [1]},
            {"name": "x", "shape": ["a"], "datatype": "FP32", "data": [1]},
            {"shape": [1], "datatype": "FP32", "data": [1]},
            {"name": 5, "shape": [1], "datatype": "FP32", "data": [1]},
        ):
            with self.subTest(fields), self.assertRaises(ValueError):
                RequestInput(**fields)
        with self.assertRaises(ValueError):
            InferenceRequest.parse_raw("{")
        with self.assertRaises(ValueError):
            InferenceResponse.model_validate({"outputs": []})

    def test_a_datatype_may_be_of_the_enumeration(self):
        self.assertEqual(an_input([1], [1], Datatype.INT8).datatype, "INT8")

    def test_data_may_be_nested_and_set_anew(self):
        each = an_input([[1, 2], [3, 4]], [2, 2], "INT32")
        self.assertEqual(each.data.root, [[1, 2], [3, 4]])
        each.data = TensorData([5])
        self.assertEqual(each.data[0], 5)


class Codecs(unittest.TestCase):
    def test_text(self):
        output = StringCodec.encode_output("y", ["a", "ä"])
        self.assertEqual((output.datatype, output.shape, output.data.root), ("BYTES", [2, 1], [b"a", "ä".encode()]))
        self.assertEqual(output.parameters.content_type, "str")
        self.assertEqual(StringCodec.decode_output(output), ["a", "ä"])
        self.assertEqual(StringCodec.decode_input(an_input(["a", b"b"], [2])), ["a", "b"])
        self.assertEqual(StringCodec.encode_input("x", ["a"], use_bytes=False).data.root, ["a"])
        with self.assertRaises(Exception) as raised:
            StringCodec.decode_input(an_input([b"\xff"], [1]))
        self.assertIsInstance(raised.exception, MLServerError if IS_OURS else UnicodeDecodeError)

    def test_base64(self):
        output = Base64Codec.encode_output("y", [b"\xff\x00"])
        self.assertEqual(output.data.root, [b"/wA="])
        self.assertEqual(Base64Codec.decode_output(output), [b"\xff\x00"])
        self.assertEqual(Base64Codec.decode_input(an_input(["/wA="], [1])), [b"\xff\x00"])
        self.assertEqual(Base64Codec.decode_input(an_input([b"no base64!"], [1])), [b"no base64!"])
        if IS_OURS:  # the real one fails
            self.assertEqual(Base64Codec.decode_input(an_input(["für"], [1])), ["für".encode()])

    def test_times(self):
        time = datetime(2024, 2, 29, 12, 30, tzinfo=timezone.utc)
        output = DatetimeCodec.encode_output("y", [time], use_bytes=False)
        self.assertEqual(output.data.root, ["2024-02-29T12:30:00+00:00"])
        self.assertEqual(DatetimeCodec.decode_output(output), [time])
        self.assertEqual(DatetimeCodec.decode_input(an_input([b"2024-02-29"], [1])), [datetime(2024, 2, 29)])
        with self.assertRaises(ValueError if not IS_OURS else CodecError):
            DatetimeCodec.decode_input(an_input([b"soon"], [1]))

    def test_arrays(self):
        for datatype in (each for each in Datatype.__members__ if each != "BYTES"):
            with self.subTest(datatype):
                decoded = NumpyCodec.decode_input(an_input([1, 0, 1, 1, 0, 1], [2, 3], datatype))
                self.assertEqual(decoded.shape, (2, 3))
                output = NumpyCodec.encode_output("y", decoded)
                self.assertEqual((output.datatype, output.shape), (datatype, [2, 3]))
                self.assertEqual(list(output.data.root), [1, 0, 1, 1, 0, 1])
                np.testing.assert_array_equal(NumpyCodec.decode_output(output), decoded)

    def test_arrays_of_one_dimension_and_without_numbers(self):
        output = NumpyCodec.encode_output("y", np.array([1.5, np.nan], np.float32))
        self.assertEqual((output.shape, output.data.root), ([2, 1], [1.5, None]))
        self.assertEqual(output.parameters.content_type, "np")

    def test_arrays_of_text_and_bytes(self):
        output = NumpyCodec.encode_output("y", np.array(["a", "bc"]))
        self.assertEqual((output.datatype, output.shape, output.data.root), ("BYTES", [2, 1], [b"a", b"bc"]))
        padded = NumpyCodec.encode_output("y", np.array([b"a", b"bc"]))
        self.assertEqual(padded.data.root, [b"a\0bc"])
        texts = NumpyCodec.decode_input(an_input(["a", "bc"], [2, 1]))
        self.assertEqual(texts.tolist(), [["a"], ["bc"]])
        if IS_OURS:  # the real one takes the last dimension for the length of an element
            self.assertEqual(NumpyCodec.decode_output(padded).tolist(), [[b"a"], [b"bc"]])
            self.assertEqual(NumpyCodec.decode_input(an_input([b"a", "bc"], [2])).tolist(), [b"a", b"bc"])

    def test_a_shape_that_does_not_fit(self):
        with self.assertRaises(CodecError if IS_OURS else ValueError):
            NumpyCodec.decode_input(an_input([1, 2, 3], [2, 2], "FP32"))

    @unittest.skipUnless(IS_OURS, "the real one knows no such datatype")
    def test_a_datatype_that_numpy_has_not(self):
        with self.assertRaisesRegex(CodecError, "tensor 'x': numpy has no BF16"):
            NumpyCodec.decode_input(RequestInput.model_construct(name="x", shape=[1], datatype="BF16", data=TensorData([1.0])))

    def test_whole_messages(self):
        response = StringRequestCodec.encode_response("m", ["a"], "v")
        self.assertEqual((response.model_name, response.model_version), ("m", "v"))
        self.assertEqual(response.outputs[0].name, "output-1")
        self.assertEqual(StringRequestCodec.decode_response(response), ["a"])
        request = NumpyRequestCodec.encode_request(np.array([[1, 2]]))
        self.assertEqual(request.inputs[0].name, "input-1")
        self.assertEqual(NumpyRequestCodec.decode_request(request).tolist(), [[1, 2]])
        twice = InferenceRequest(inputs=[an_input(["a"], [1]), an_input(["b"], [1], name="z")])
        with self.assertRaises(CodecError) as raised:
            StringRequestCodec.decode_request(twice)
        self.assertEqual(raised.exception.status_code, 400)


class Model(MLModel):
    @decode_args
    async def predict(self, x: np.ndarray, words: Optional[List[str]] = None) -> List[str]:
        return [f"{x.sum():g}", *(words or [])]


class TwoOutputs(MLModel):
    @decode_args
    async def predict(self, x: np.ndarray) -> "tuple[np.ndarray, List[str]]":
        return (x * 2, ["done"]) if x.size > 1 else (x, 5)


def settings(**more):
    return ModelSettings(name="m", implementation=Model, **more)


class Helpers(unittest.TestCase):
    def test_decode_args(self):
        request = InferenceRequest(inputs=[an_input([1, 2], [2], "FP32"), an_input(["a"], [1], name="words")])
        response = asyncio.run(Model(settings()).predict(request))
        self.assertEqual(response.outputs[0].name, "output-0")
        self.assertEqual(StringCodec.decode_output(response.outputs[0]), ["3", "a"])
        request.inputs[1].name = "others"
        with self.assertRaises(InputsNotFound):
            asyncio.run(Model(settings()).predict(request))

    def test_decode_args_of_several_outputs(self):
        model = TwoOutputs(settings())
        response = asyncio.run(model.predict(InferenceRequest(inputs=[an_input([1, 2], [2], "INT32")])))
        self.assertEqual([output.name for output in response.outputs], ["output-0", "output-1"])
        self.assertEqual(list(response.outputs[0].data.root), [2, 4])
        with self.assertRaises(OutputNotFound):
            asyncio.run(model.predict(InferenceRequest(inputs=[an_input([1], [1], "INT32")])))

    def test_a_hint_without_a_codec(self):
        with self.assertRaises(CodecNotFound):

            @decode_args
            async def predict(self, x: complex) -> List[str]: ...

    def test_content_types_of_the_input_then_the_metadata(self):
        model = Model(settings(inputs=[{"name": "x", "datatype": "BYTES", "shape": [1], "parameters": {"content_type": "str"}}]))
        self.assertEqual(model.decode(an_input([b"a"], [1])), ["a"])
        self.assertEqual(model.decode(an_input([b"/wA="], [1], content_type="base64")), [b"\xff\x00"])
        self.assertEqual(model.decode(an_input([b"a"], [1], content_type="unknown")).root, [b"a"])
        self.assertEqual(model.decode(an_input([1], [1], "FP32", name="y"), default_codec=NumpyCodec).tolist(), [1])
        self.assertEqual(model.decode(an_input([1], [1], "FP32", name="y")).root, [1])

    def test_content_types_of_requests(self):
        model = Model(settings(parameters={"content_type": "str"}))
        self.assertEqual(model.decode_request(InferenceRequest(inputs=[an_input([b"a"], [1])])), ["a"])
        own = InferenceRequest(parameters=Parameters(content_type="np"), inputs=[an_input([1], [1], "INT8")])
        self.assertEqual(model.decode_request(own).tolist(), [1])
        plain = Model(settings()).decode_request(InferenceRequest(inputs=[an_input([b"a"], [1])]))
        self.assertIsInstance(plain, InferenceRequest)

    def test_answers_by_what_they_are(self):
        model = Model(settings(outputs=[{"name": "y", "datatype": "BYTES", "shape": [1], "parameters": {"content_type": "base64"}}]))
        self.assertEqual(model.encode(["a"], RequestOutput(name="z")).parameters.content_type, "str")
        self.assertEqual(model.encode([b"a"], RequestOutput(name="y")).data.root, [b"YQ=="])
        self.assertEqual(model.encode(np.array([1]), RequestOutput(name="z")).datatype, "INT64")
        self.assertEqual(model.encode_response(np.array([1])).outputs[0].name, "output-1")
        with self.assertRaises(CodecNotFound):
            model.encode(complex(1), RequestOutput(name="z"))
        with self.assertRaises(CodecNotFound):
            model.encode_response(complex(1))

    def test_metadata(self):
        model = Model(settings(platform="p", versions=["a/1"], parameters={"content_type": "np", "version": "3"}))
        model.inputs = [MetadataTensor(name="x", datatype="FP32", shape=[-1])]
        metadata = asyncio.run(model.metadata())
        self.assertEqual((metadata.name, metadata.platform, metadata.versions), ("m", "p", ["a/1"]))
        self.assertEqual((metadata.inputs[0].name, metadata.parameters.content_type), ("x", "np"))
        self.assertEqual((model.version, model.name, model.ready), ("3", "m", False))

    def test_where_the_files_are(self):
        found = asyncio.run(get_model_uri(settings(parameters={"uri": __file__})))
        self.assertEqual(found, __file__)
        self.assertEqual(asyncio.run(get_model_uri(settings(parameters={"uri": "s3://a/b"}))), "s3://a/b")
        for parameters in ({"uri": "/nowhere/at/all"}, None):
            with self.assertRaises(InvalidModelURI):
                asyncio.run(get_model_uri(settings(parameters=parameters)))

    def test_a_model_of_predict_alone_streams_one_response(self):
        async def stream():
            async def requests():
                yield InferenceRequest(inputs=[an_input([1], [1], "FP32")])

            return [response async for response in Model(settings()).predict_stream(requests())]

        self.assertEqual(len(asyncio.run(stream())), 1)

    def test_errors(self):
        self.assertEqual((str(ModelNotFound("m", "1")), ModelNotFound("m").status_code), ("Model m with version 1 not found", 404))
        self.assertEqual(InferenceError("x").status_code, 400)
        self.assertEqual(MLServerError("x", 418).status_code, 418)


@unittest.skipUnless(__import__("importlib.util").util.find_spec("pandas"), "needs pandas")
class Frames(unittest.TestCase):
    def test_frames(self):
        import pandas as pd
        from mlserver.codecs import PandasCodec

        texts = pd.Series(["x", "y"], dtype=object)
        frame = pd.DataFrame({"a": [1, 2], "b": [0.5, float("nan")], "c": texts, "d": [{"k": 1}, [2]]})
        request = PandasCodec.encode_request(frame)
        self.assertEqual([each.datatype for each in request.inputs], ["INT64", "FP64", "BYTES", "BYTES"])
        self.assertEqual([each.shape for each in request.inputs], [[2, 1]] * 4)
        self.assertEqual(list(request.inputs[1].data.root), [0.5, None])
        self.assertEqual(request.inputs[3].parameters.content_type, "pd_json")
        model = Model(settings())
        decoded = model.decode_request(request)
        self.assertEqual(decoded["a"].tolist(), [1, 2])
        self.assertEqual(decoded["c"].tolist(), ["x", "y"])
        self.assertEqual(decoded["d"].tolist(), [{"k": 1}, [2]])
        self.assertEqual(len(model.encode_response(frame).outputs), 4)


if __name__ == "__main__":
    unittest.main()
