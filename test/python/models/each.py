"""Runtimes of a single method."""

import asyncio

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceResponse


class OnlyPredict(MLModel):
    async def predict(self, payload):
        text = StringCodec.decode_input(payload.inputs[0])[0]
        return InferenceResponse(model_name=self.name, outputs=[StringCodec.encode_output("output", [text.upper()])])


class Neither(MLModel):
    pass


class LoadRaises(OnlyPredict):
    async def load(self):
        raise RuntimeError("no weights")


class LoadFalse(OnlyPredict):
    async def load(self):
        return False


class LoadHangs(OnlyPredict):
    async def load(self):
        await asyncio.Event().wait()


class LoadBlocks(OnlyPredict):
    async def load(self):
        import time

        time.sleep(600)


class LoadExits(OnlyPredict):
    async def load(self):
        raise SystemExit(5)


class LoadPanics(OnlyPredict):
    async def load(self):
        raise BaseException("as if it were Rust")


class LoadIsStubborn(OnlyPredict):
    async def load(self):
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass


class NoGenerator(MLModel):
    async def predict_stream(self, payloads):
        return InferenceResponse(model_name=self.name, outputs=[])


not_a_class = 1
