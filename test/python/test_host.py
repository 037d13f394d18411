"""The parts of the Python host that need no server."""

import asyncio
import io
import json
import logging
import os
import re
import runpy
import socket
import struct
import sys
import tempfile
import unittest
from typing import Dict, Optional, Union
from unittest import mock

from millrace_host import connection, convert, elements, errors, frames, head, logs, metrics, modules, text
from millrace_host.codec import Request, Response, open_body, write_response
from millrace_host.connection import Connection
from millrace_host.deadline import DeadlinePassed, within
from millrace_host.node import LoadedNode
from millrace_host.plain_routes import is_of_body, parameters_of
from millrace_host.session import Session


class Heads(unittest.TestCase):
    def test_what_is_written_is_read(self):
        writer = head.HeadWriter()
        numbers = [0, 1, 127, 128, 300, 2**32, 2**53 - 1]
        for number in numbers:
            writer.varint(number)
        writer.string("ä" * 100)
        parameters = {
            "t": True,
            "f": False,
            "i": -(2**63),
            "u": 2**64 - 1,
            "s": "",
            "d": 0.1,
            "j": {"a": [1, None]},
            "l": [],
        }
        writer.parameters(parameters)
        writer.strings({"a": "b"})
        reader = head.HeadReader(bytes(writer.buffer), 0, len(writer.buffer))
        self.assertEqual([reader.varint() for _ in numbers], numbers)
        self.assertEqual(reader.string(), "ä" * 100)
        self.assertEqual(reader.parameters(), parameters)
        self.assertFalse(reader.is_at_end)
        self.assertEqual(reader.strings(), {"a": "b"})
        self.assertTrue(reader.is_at_end)


class Frames(unittest.TestCase):
    def setUp(self):
        self.seen = []
        self.inbox = frames.Inbox(lambda kind, channel, body: self.seen.append((kind, channel, bytes(body))))

    @staticmethod
    def frame(kind, channel, flags, payload):
        return frames.HEADER.pack(len(payload), channel, kind, flags) + payload

    def test_bytes_in_any_pieces(self):
        both = frames.FLAG_FIRST | frames.FLAG_LAST
        data = self.frame(5, 1, both, b"one") + self.frame(6, 2, frames.FLAG_FIRST, struct.pack("<I", 5) + b"tw")
        data += self.frame(7, 1, both, b"") + self.frame(6, 2, frames.FLAG_LAST, b"o.2")
        for size in (1, 3, 13, len(data)):
            self.setUp()
            for at in range(0, len(data), size):
                self.inbox.receive(data[at : at + size])
            self.assertEqual(self.seen, [(5, 1, b"one"), (7, 1, b""), (6, 2, b"two.2")])

    def test_what_are_no_frames(self):
        for data in (
            self.frame(5, 1, frames.FLAG_LAST, b"x"),
            self.frame(5, 1, frames.FLAG_FIRST, struct.pack("<I", 1) + b"too long"),
            self.frame(5, 1, frames.FLAG_FIRST, struct.pack("<I", 9)) + self.frame(5, 1, frames.FLAG_LAST, b"short"),
            b"\xff" * 12,
        ):
            self.setUp()
            with self.assertRaises(frames.FrameError):
                self.inbox.receive(data)


class CountedSocket:
    """A socket that keeps what each write handed over."""

    def __init__(self, sock):
        self._sock = sock
        self.writes = []

    def __getattr__(self, name):
        return getattr(self._sock, name)

    def send(self, data):
        count = self._sock.send(data)
        self.writes.append(bytes(data[:count]))
        return count

    def sendmsg(self, parts):
        data = b"".join(parts)
        count = self._sock.sendmsg(parts)
        self.writes.append(data[:count])
        return count


class Sending(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        near, self.far = socket.socketpair()
        self.far.setblocking(False)
        self.socket = CountedSocket(near)
        nothing = lambda *_: None  # noqa: E731
        loop = asyncio.get_running_loop()
        self.connection = Connection(self.socket, loop, nothing, nothing, nothing, lambda: 0.0, nothing)

    async def asyncTearDown(self):
        self.far.close()
        await asyncio.sleep(0.01)
        self.socket.close()

    def send(self, channel, text, may_wait=False, tensors=()):
        writer = head.HeadWriter()
        writer.string(text)
        self.connection.send(frames.RESPONSE, channel, writer, tensors, may_wait)

    def texts(self, data):
        seen = []
        inbox = frames.Inbox(lambda _, channel, body: seen.append((channel, open_body(body)[0].string())))
        inbox.receive(data)
        return seen

    async def test_quick_messages_leave_together_once_a_turn_brings_no_more(self):
        with mock.patch.object(connection, "_HOLD_S", 60.0):
            for turn in range(5):
                self.send(1, f"{turn}", may_wait=True)
                await asyncio.sleep(0)
            self.assertEqual(self.socket.writes, [])
            for _ in range(3):
                await asyncio.sleep(0)
        self.assertEqual([self.texts(data) for data in self.socket.writes], [[(1, f"{turn}") for turn in range(5)]])

    async def test_they_wait_no_longer_than_they_may(self):
        with mock.patch.object(connection, "_HOLD_S", 0.0):
            for turn in range(3):
                self.send(1, f"{turn}", may_wait=True)
                await asyncio.sleep(0)
        self.assertEqual(len(self.socket.writes), 3)

    async def test_one_that_may_not_wait_takes_the_others_along(self):
        with mock.patch.object(connection, "_HOLD_S", 60.0):
            self.send(1, "a", may_wait=True)
            await asyncio.sleep(0)
            self.send(2, "b")
            self.assertEqual(self.socket.writes, [])
            await asyncio.sleep(0)
        self.assertEqual([self.texts(data) for data in self.socket.writes], [[(1, "a"), (2, "b")]])

    async def test_much_leaves_at_once(self):
        for number in range(connection._GATHERED_MESSAGES):
            self.send(1, f"{number}", may_wait=True)
        self.assertEqual(len(self.socket.writes), 1)

    async def test_a_long_message_keeps_its_place_in_its_channel(self):
        tensor = bytes(range(256)) * 4096
        self.send(1, "first")
        self.send(1, "long", tensors=[tensor])
        self.send(1, "last")
        self.send(2, "other", may_wait=True)
        seen, bodies = [], []

        def receive(_, channel, body):
            reader, at = open_body(body)
            seen.append((channel, reader.string()))
            bodies.append(bytes(body[at:]))

        inbox = frames.Inbox(receive)
        while len(seen) < 4:
            await asyncio.sleep(0.001)
            try:
                inbox.receive(self.far.recv(2**20))
            except BlockingIOError:
                pass
        self.assertEqual([text for channel, text in seen if channel == 1], ["first", "long", "last"])
        self.assertIn(tensor, bodies)


class Elements(unittest.TestCase):
    def test_every_datatype_bit_for_bit(self):
        for datatype, code in elements.STRUCT_CODES.items():
            raw = struct.pack(f"<3{code}", *([1, 0, 1] if datatype == "BOOL" else [1, 2, 100]))
            self.assertEqual(elements.encode_numbers(datatype, elements.decode_numbers(datatype, raw)), raw)
        self.assertEqual(elements.decode_numbers("BF16", b"\x80\x3f"), [1.0])
        self.assertEqual(elements.decode_bytes("x", elements.encode_bytes(["ä", b"\xff", ""])), ["ä".encode(), b"\xff", b""])

    def test_what_does_not_fit(self):
        for datatype, values in (("INT8", [200]), ("UINT8", [-1]), ("INT32", [0.5]), ("FP32", ["a"]), ("INT64", [None])):
            with self.subTest(datatype), self.assertRaises((TypeError, ValueError, OverflowError)):
                elements.encode_numbers(datatype, values)
        with self.assertRaises(TypeError):
            elements.encode_bytes([1])
        for raw in (b"\1", b"\5\0\0\0ab"):
            with self.assertRaises(errors.HostError):
                elements.decode_bytes("x", raw)

    def test_nested_lists(self):
        self.assertEqual(elements.flatten([[[1], [2]], ([3], [4])]), [1, 2, 3, 4])
        self.assertEqual(elements.flatten("text"), ["text"])

    def test_a_list_of_numbers_that_is_changed_is_what_it_became(self):
        import numpy

        for change in (
            lambda numbers: numbers.__setitem__(0, 100),
            lambda numbers: numbers.__setitem__(slice(0, 2), [100, 7]),
            lambda numbers: numbers.reverse(),
            lambda numbers: numbers.sort(reverse=True),
            lambda numbers: (numbers.pop(), numbers.append(5)),
            lambda numbers: numbers.__imul__(2),
        ):
            numbers = elements.NumberList([1, 2, 3], struct.pack("<3i", 1, 2, 3), "int32")
            self.assertEqual(numpy.array(numbers).dtype, numpy.int32)
            change(numbers)
            self.assertEqual(numpy.array(numbers).tolist(), list(numbers))
        self.assertEqual(numbers, [1, 2, 3, 1, 2, 3])


class Requests(unittest.TestCase):
    def test_private_names_are_no_parameters(self):
        import mlserver.types

        converter = convert.Converter(mlserver.types)
        made = converter._parameters({"_decoded_payload": "forged", "own": 1})
        self.assertFalse(hasattr(made, "_decoded_payload"))
        self.assertEqual(made.own, 1)


class Answers(unittest.TestCase):
    class Answer:
        def __init__(self, **fields):
            self.__dict__.update(fields)

    def output(self, **fields):
        return self.Answer(**{"name": "y", "shape": [1], "datatype": "FP32", "data": [1], **fields})

    def test_what_is_wrong_is_told(self):
        for answer, text in (
            (None, "NoneType given, an InferenceResponse expected"),
            (self.Answer(outputs=5), "Answer given, an InferenceResponse expected"),
            (self.Answer(outputs=[5]), r"outputs\[0\]: int given, a ResponseOutput with a name expected"),
            (self.Answer(outputs=[self.output(datatype="FLOAT")]), "datatype 'FLOAT' given"),
            (self.Answer(outputs=[self.output(shape=[-1])]), r"shape \[-1\] given"),
            (self.Answer(outputs=[self.output(shape=None)]), "shape None given"),
            (self.Answer(outputs=[self.output(data=[1, 2])]), "2 elements given, 1 expected"),
            (self.Answer(outputs=[self.output(data=["a"])]), "data is no FP32"),
            (self.Answer(outputs=[self.output(datatype="BYTES", data=[1])]), "data is no BYTES: int given"),
            (self.Answer(outputs=[self.output(parameters={"a": {1}})]), "parameter 'a': set given"),
            (self.Answer(outputs=[], parameters={"a": 2**64}), "a number of 64 bits expected"),
            (self.Answer(outputs=[], parameters={"headers": 1}), "headers: int given"),
            (self.Answer(outputs=[], model_version=1), "model_version: int given"),
        ):
            with self.subTest(text), self.assertRaisesRegex(convert.AnswerError, text):
                convert.to_response(answer, "m", "1", "")

    def test_headers_leave_the_parameters(self):
        answer = self.Answer(outputs=[], parameters={"headers": {"X-A": 1}, "b": 2, "_own": 3, "none": None})
        response = convert.to_response(answer, "m", "1", "id")
        self.assertEqual((response.headers, response.parameters), ({"x-a": "1"}, {"b": 2}))

    def test_a_response_is_read_back_as_a_request_would_be(self):
        writer = head.HeadWriter()
        answer = self.Answer(outputs=[self.output(), self.output(name="b", datatype="BYTES", data=["ab"])])
        parts = write_response(writer, convert.to_response(answer, "m", "1", "id"))
        # A request has its outputs' list between parameters and tensors: none.
        at = bytes(writer.buffer).index(b"\2\1y")
        buffer = bytes(writer.buffer[:at]) + b"\0" + bytes(writer.buffer[at:])
        first = struct.pack("<I", len(buffer)) + buffer
        body = first + bytes(-len(first) % 8)
        for part in parts:
            body += bytes(part) + bytes(-len(part) % 8)
        reader, tensors_at = open_body(memoryview(body))
        request = Request(memoryview(body), reader, tensors_at)
        self.assertEqual((request.servable, request.version, request.id), ("m", "1", "id"))
        self.assertEqual([bytes(each.data) for each in request.inputs], [struct.pack("<f", 1), b"\2\0\0\0ab"])
        self.assertIsInstance(Response("m", "1", "", []).outputs, list)


class Modules(unittest.TestCase):
    def test_files_of_one_name_in_several_folders(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(sys, "path", list(sys.path)):
            for name in ("one", "two"):
                os.makedirs(os.path.join(folder, name, "pkg"))
                for file, text in (
                    ("same_name_helper.py", f"VALUE = {name!r}"),
                    ("same_name.py", "from same_name_helper import VALUE\nclass Model:\n    value = VALUE"),
                    ("pkg/__init__.py", ""),
                    ("pkg/inner.py", f"VALUE = {name!r}"),
                    ("pkg/model.py", "from .inner import VALUE\nclass Model:\n    value = VALUE"),
                ):
                    with open(os.path.join(folder, name, file), "w", encoding="utf-8") as written:
                        written.write(text)
            for name in ("one", "two", "one"):
                for file in ("same_name.py", "pkg/model.py"):
                    self.assertEqual(modules.load_class(os.path.join(folder, name, file), "Model").value, name)

    def test_a_class_by_a_dotted_name(self):
        self.assertIs(modules.load_class("collections", "OrderedDict"), __import__("collections").OrderedDict)


class Program(unittest.TestCase):
    def test_an_old_python_is_told_what_it_lacks(self):
        program = os.path.join(os.path.dirname(frames.__file__), "__main__.py")
        with mock.patch.object(sys, "version_info", (3, 6, 1)), mock.patch.object(sys, "stderr", io.StringIO()) as said:
            with mock.patch.object(os, "_exit", side_effect=SystemExit):
                with self.assertRaises(SystemExit):
                    runpy.run_path(program, run_name="__main__")
        self.assertRegex(said.getvalue(), r"^Python 3\.9 or newer is needed, .* is 3\.6; set MILLRACE_PYTHON")


class Logs(unittest.TestCase):
    def test_lines_of_json(self):
        read, write = os.pipe()
        log = logs.Log("info", write)
        log.write("debug", "not written")
        writer = logs.LineWriter(log, "info", "stdout")
        writer.write("one\ntw")
        writer.write("o\n\n")
        log.failure("failed", ValueError("why"), servable="m")
        os.close(write)
        with open(read, encoding="utf-8") as written:
            lines = [json.loads(line) for line in written]
        self.assertEqual([line["msg"] for line in lines], ["one", "two", "failed"])
        self.assertEqual((lines[2]["error"], lines[2]["servable"]), ("ValueError: why", "m"))
        self.assertTrue(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", lines[0]["time"]))

    def test_a_call_of_logging_that_is_wrong_fails_nothing(self):
        logger = logging.getLogger("test.of.logs")
        handler = logs._Handler(logs.Log("silent"))
        logger.addHandler(handler)
        self.addCleanup(logger.removeHandler, handler)
        logger.propagate = False
        with mock.patch.object(sys, "stderr", io.StringIO()) as said:
            logger.warning("%d", "x")
        self.assertIn("Logging error", said.getvalue())


class Signatures(unittest.TestCase):
    def test_what_may_be_none_is_what_it_is_else(self):
        def handler(a: Optional[int] = None, b: "Optional[Dict[str, int]]" = None, c: Union[int, str, None] = None, d: str = ""):
            pass

        found = {each.name: each.annotation for each in parameters_of(handler)}
        self.assertEqual(found, {"a": int, "b": Dict[str, int], "c": Union[int, str, None], "d": str})
        self.assertEqual([is_of_body(each) for each in found.values()], [False, True, False, False])

    @unittest.skipIf(sys.version_info < (3, 10), "its syntax")
    def test_as_does_the_shorter_way_to_write_it(self):
        def handler(a: "int | None" = None, b: "dict | None" = None):
            pass

        self.assertEqual([each.annotation for each in parameters_of(handler)], [int, dict])


class Sessions(unittest.IsolatedAsyncioTestCase):
    def begin(self):
        loaded = mock.Mock(call_deadline_s=3600.0, description={"decoupled": False})
        loaded.responses = lambda requests: requests
        loaded.response.return_value.outputs = []
        session = Session(mock.Mock(flushed_s=0.0), 1, (8, 1000), 8, loaded, mock.Mock(route=""))
        session.start(asyncio.get_running_loop())
        session.push(mock.Mock(headers={}, inputs=[], cost=1))
        return session

    async def test_one_that_is_over_holds_no_requests_and_is_held_by_no_timer(self):
        for end in (Session.abort, Session.half_close):
            session = self.begin()
            for _ in range(10):
                await asyncio.sleep(0)
            self.assertIsNotNone(session.first)
            timer = session._timer
            self.assertFalse(timer.cancelled())
            end(session)
            await asyncio.wait({session._task})
            self.assertTrue(timer.cancelled())
            self.assertEqual((session.first, session.last), (None, None))


class Metrics(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.sent = []
        self.gathering = metrics._Gathering()
        self.gathering.loads = [1]
        patched = mock.patch.object(metrics, "gathering", self.gathering)
        patched.start()
        self.addCleanup(patched.stop)

    async def test_what_is_not_finite_is_left_out_and_said_once(self):
        self.gathering.connect(asyncio.get_running_loop(), lambda *sent: self.sent.append(sent))
        with self.assertLogs("millrace_host.metrics", "WARNING") as said:
            for value in (float("nan"), 0.25, float("inf"), -float("inf")):
                metrics.log(x=value)
        self.gathering._flush()
        ((load_id, (update,)),) = self.sent
        self.assertEqual((load_id, update["values"], update["counts"]), (1, [0.25], [1]))
        self.assertEqual(len(said.output), 1)

    async def test_many_values_are_one_callback_and_a_number_for_each_bucket(self):
        loop = mock.Mock()
        self.gathering.connect(loop, lambda *sent: self.sent.append(sent))
        for at in range(5000):
            metrics.log(x=(at % 4) / 10)
        loop.call_soon_threadsafe.assert_called_once()
        self.gathering._flush()
        ((_, (update,)),) = self.sent
        self.assertEqual(update["counts"], [1250] * 4)
        self.assertAlmostEqual(sum(value * count for value, count in zip(update["values"], update["counts"])), 750.0)

    def test_what_stands_for_a_bucket_is_in_it(self):
        histogram = metrics.Histogram("x", "", [0.1, 0.2])
        total = sum([0.1] * 3)
        self.assertGreater(total / 3, 0.1)
        self.assertEqual([histogram.mean(0, 3, total), histogram.mean(2, 1, 7.0)], [0.1, 7.0])
        self.assertGreater(histogram.mean(1, 1, 0.1), 0.1)


class Texts(unittest.TestCase):
    def test_json_has_no_words_for_what_is_not_finite(self):
        told = text.json_text({"a": float("nan"), "b": [float("inf"), 1.5, True], "c": {"d": -float("inf"), "e": "NaN"}})
        self.assertEqual(json.loads(told), {"b": [None, 1.5, True], "c": {"e": "NaN"}})


class Deadlines(unittest.IsolatedAsyncioTestCase):
    async def test_what_ignores_its_cancellation_is_not_waited_for(self):
        ends = asyncio.Event()

        async def stubborn():
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                await ends.wait()

        left = []
        with self.assertRaises(DeadlinePassed):
            await within(0.01, stubborn(), left.append)
        self.assertFalse(left[0].done())
        ends.set()
        await left[0]

    async def test_whatever_is_raised_reaches_the_caller_alone(self):
        async def fails(error):
            raise error

        for error in (SystemExit(7), KeyboardInterrupt(), BaseException("panic"), asyncio.CancelledError(), ValueError()):
            with self.subTest(repr(error)), self.assertRaises(type(error)):
                await within(60, fails(error))

    async def test_a_caller_that_is_cancelled_cancels_it(self):
        left = []
        waiting = asyncio.ensure_future(within(None, asyncio.sleep(600), left.append))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await waiting
        self.assertIsInstance((await left[0])[1], asyncio.CancelledError)


class Nodes(unittest.IsolatedAsyncioTestCase):
    async def test_whatever_users_code_raises_fails_its_call(self):
        model = mock.Mock()
        node = LoadedNode({"name": "n"}, model, logs.Log("silent"))
        for error in (BaseException("panic"), SystemExit("panic"), asyncio.CancelledError("panic")):
            model.execute.side_effect = model.finalize.side_effect = error
            with self.subTest(repr(error)), self.assertRaisesRegex(errors.HostError, "panic"):
                await node.infer(mock.Mock(parameters={"op": "execute"}, inputs=[]))
            await node.close()


if __name__ == "__main__":
    unittest.main()
