"""A node of a graph: OVMS's handler, the class `OvmsPythonModel` of a user's file."""

from __future__ import annotations

import inspect
from itertools import count
from typing import Any, Dict, List

from . import modules
from .codec import Request, Response, Tensor
from .elements import element_count
from .errors import HostError
from .logs import Log
from .text import short

_CLASS = "OvmsPythonModel"


class LoadedNode:
    """One object for all sessions; only generators belong to one each."""

    def __init__(self, spec: Dict[str, Any], model: Any, log: Log) -> None:
        self.name: str = spec["name"]
        self.call_deadline_s: float = (spec.get("callDeadlineMs") or 0) / 1000
        self.description: Dict[str, Any] = {"decoupled": False, "inputs": [], "outputs": [], "platform": "python"}
        self._model = model
        self._log = log
        self._generators: Dict[int, Any] = {}
        self._ids = count(1)

    async def infer(self, request: Request) -> Response:
        """`execute`, or a step of the generator that it gave. Raises HostError RUNTIME_FAILED."""
        from pyovms import Tensor as UserTensor

        operation = request.parameters["op"]
        try:
            if operation == "execute":
                inputs = [UserTensor(each.name, each.data, list(each.shape), each.datatype) for each in request.inputs]
                result = self._model.execute(inputs)
                if inspect.isgenerator(result) or hasattr(result, "__next__"):
                    number = next(self._ids)
                    self._generators[number] = result
                    return self._answer([], {"generator": number})
                return self._answer(self._outputs(result, "execute"))
            number = request.parameters["generator"]
            if operation == "close":
                generator = self._generators.pop(number, None)
                if generator is not None and hasattr(generator, "close"):
                    generator.close()
                return self._answer([])
            return self._next(number)
        except HostError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever users' code raises
            self._log.failure("Python node failed", error, node=self.name)
            raise HostError("RUNTIME_FAILED", f"{type(error).__name__}: {error}", {"node": self.name}) from None

    def _next(self, number: int) -> Response:
        generator = self._generators.get(number)
        if generator is None:
            raise HostError("RUNTIME_FAILED", "its generator is gone: the Python process was replaced")
        try:
            step = next(generator)
        except StopIteration:
            del self._generators[number]
            return self._answer([], {"done": True})
        except BaseException:
            del self._generators[number]
            raise
        return self._answer(self._outputs(step, "execute yields"))

    def _answer(self, outputs: List[Tensor], parameters: Any = None) -> Response:
        return Response("", "", "", outputs, parameters)

    def _outputs(self, result: Any, what: str) -> List[Tensor]:
        if not isinstance(result, (list, tuple)):
            raise self._wrong(f"{what}: {type(result).__name__} given, a list of pyovms.Tensor expected")
        return [self._output(each, f"{what}: output [{at}]") for at, each in enumerate(result)]

    def _output(self, tensor: Any, where: str) -> Tensor:
        from pyovms import ITEM_BYTES
        from pyovms import Tensor as UserTensor

        if not isinstance(tensor, UserTensor):
            raise self._wrong(f"{where}: {type(tensor).__name__} given, a pyovms.Tensor expected")
        item = ITEM_BYTES.get(tensor.datatype)
        if item is None:
            raise self._wrong(f'{where} "{tensor.name}": datatype {tensor.datatype!r} given, one like FP32 expected')
        shape, raw = list(tensor.shape), tensor.raw
        if item > 0 and element_count(shape) * item != len(raw):
            text = f"{len(raw)} bytes given, {element_count(shape) * item} expected for {tensor.datatype} {shape}"
            raise self._wrong(f'{where} "{tensor.name}": {text}')
        return Tensor(tensor.name, tensor.datatype, shape, raw)

    def _wrong(self, text: str) -> HostError:
        return HostError("RUNTIME_FAILED", text, {"node": self.name})

    async def close(self) -> None:
        """Never raises."""
        for generator in self._generators.values():
            if hasattr(generator, "close"):
                self._attempt(generator.close, "generator failed to close")
        self._generators.clear()
        finalize = getattr(self._model, "finalize", None)
        if finalize is not None:
            self._attempt(finalize, "Python node failed to finalize")

    def _attempt(self, call: Any, message: str) -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - whatever users' code raises
            self._log.failure(message, error, node=self.name)


async def load_node(_: int, spec: Dict[str, Any], log: Log) -> LoadedNode:
    """Imports the file, makes the object and calls its `initialize`. Raises HostError MODEL_INVALID."""
    name, path = spec["name"], spec["module"]
    try:
        kind = modules.load_class(path, _CLASS)
        if not callable(getattr(kind, "execute", None)):
            raise HostError("MODEL_INVALID", f"class {_CLASS} has no method execute")
        model = kind()
        initialize = getattr(model, "initialize", None)
        if initialize is not None:
            initialize(spec["kwargs"])
        return LoadedNode(spec, model, log)
    except HostError:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever users' code raises
        log.failure("Python node failed to load", error, node=name)
        raise HostError("MODEL_INVALID", short(error, path), {"node": name}) from None
