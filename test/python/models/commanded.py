"""A runtime that does what the text of its first input says; `DIARY`, a file, tells what became of its streams."""

import asyncio
import logging
import multiprocessing
import os
import subprocess
import sys
import time

import mlserver
from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.errors import MLServerError
from mlserver.types import InferenceRequest, InferenceResponse, Parameters, ResponseOutput


def note(text):
    with open(os.environ["DIARY"], "a", encoding="utf-8") as diary:
        diary.write(text + "\n")


class Panic(BaseException):
    """As extensions in Rust raise it."""


class Commanded(MLModel):
    async def load(self):
        self.released = asyncio.Event()
        note(f"load {self.settings.parameters.extra.get('greeting', '')}")
        return True

    async def unload(self):
        note("unload")
        return True

    def answer(self, text, **more):
        return InferenceResponse(
            model_name=self.name, outputs=[StringCodec.encode_output(name="output", payload=[text])], **more
        )

    async def predict(self, payload):
        command, *args = StringCodec.decode_input(payload.inputs[0])[0].split()
        if command == "echo":
            return InferenceResponse(
                model_name=self.name,
                parameters=payload.parameters,
                outputs=[
                    ResponseOutput(
                        name=each.name,
                        shape=each.shape,
                        datatype=each.datatype,
                        data=each.data,
                        parameters=each.parameters,
                    )
                    for each in payload.inputs[1:]
                ],
            )
        if command == "headers":
            headers = {"X-Seen": payload.parameters.headers.get(args[0], ""), "x-pid": str(os.getpid())}
            return self.answer("", parameters=Parameters(headers=headers))
        if command == "pid":
            return self.answer(str(os.getpid()))
        if command == "lists":
            outputs = [
                ResponseOutput(name="nested", shape=[2, 2], datatype="INT32", data=[[1, 2], [3, 4]]),
                ResponseOutput(name="nan", shape=[2], datatype="FP32", data=[None, 1.5]),
                ResponseOutput(name="one", shape=[1], datatype="BYTES", data="text"),
                ResponseOutput(name="whole", shape=[1], datatype="INT64", data=[3.0]),
            ]
            return InferenceResponse(model_name=self.name, outputs=outputs)
        if command == "kinds":
            return self.answer(" ".join(type(each.data[0]).__name__ for each in payload.inputs))
        if command == "say":
            print("printed")
            print("half", end="")
            sys.stdout.flush()
            logging.getLogger("of.users").warning("logged %s", 1)
            sys.stderr.write("on stderr\n")
            return self.answer("said")
        if command == "measure":
            mlserver.log(my_metric=0.25)
            mlserver.log(my_metric=0.5)
            mlserver.log(my_metric=float("nan"))
            return self.answer("measured")
        if command == "hang":
            await asyncio.Event().wait()
        if command == "stubborn":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                note("stubborn")
            await self.released.wait()
            note("released")
        if command == "release":
            self.released.set()
            return self.answer("")
        if command == "children":
            sleeping = subprocess.Popen(["sleep", "600"])
            forked = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
            forked.start()
            sleeping.terminate()
            forked.terminate()
            forked.join(30)
            ends = f"{sleeping.wait(30)} {forked.exitcode}"
            forked.kill()
            return self.answer(ends)
        if command == "panic":
            raise Panic("as if it were Rust")
        if command == "status":
            raise MLServerError("as asked", int(args[0]))
        if command == "raise":
            raise KeyError("no such thing")
        if command == "exit":
            sys.exit(7)
        if command == "cancel":
            raise asyncio.CancelledError
        if command == "nonsense":
            return {"nothing": [1]}
        if command == "shape":
            return InferenceResponse(
                model_name=self.name, outputs=[ResponseOutput(name="y", shape=[3], datatype="FP32", data=[1.0])]
            )
        if command == "elements":
            return InferenceResponse(
                model_name=self.name, outputs=[ResponseOutput(name="y", shape=[1], datatype="INT8", data=[300])]
            )
        raise RuntimeError(f"unknown command {command}")

    async def predict_stream(self, payloads):
        first = await payloads.__anext__()
        command, *args = StringCodec.decode_input(first.inputs[0])[0].split()
        note(f"start {command}")
        sent = 0
        try:
            if command == "count":
                for sent in range(1, int(args[0]) + 1):
                    yield self.answer(str(sent))
            elif command == "slowly":
                while True:
                    await asyncio.sleep(0.01)
                    sent += 1
                    yield self.answer(str(sent))
            elif command == "sum":
                total = 0
                async for payload in payloads:
                    total += int(StringCodec.decode_input(payload.inputs[0])[0])
                    yield self.answer(f"{payload.id} {total}")
            elif command == "last":
                async for payload in payloads:
                    first = payload
                yield self.answer(StringCodec.decode_input(first.inputs[0])[0])
            elif command == "block":
                for sent in range(1, int(args[0]) + 1):
                    time.sleep(float(args[1]))
                    yield self.answer(str(sent))
            elif command == "wait":
                await asyncio.Event().wait()
            elif command == "fail":
                for sent in range(1, int(args[0]) + 1):
                    yield self.answer(str(sent))
                raise ValueError("as asked")
            elif command == "refuse":
                raise MLServerError("no such prompt", int(args[0]))
            elif command == "panic":
                raise Panic("as if it were Rust")
            elif command == "nonsense":
                yield "text"
            elif command == "die":
                yield self.answer("last words")
                os.kill(os.getpid(), 9)
            elif command == "nothing":
                return
        except BaseException as error:
            note(f"{command} {type(error).__name__}")
            raise
        finally:
            note(f"end {command} {sent}")
