"""A user's `MLModel` under a name: loading, calls, streams, unloading, and what the client hears of its failures."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Dict, Optional

from . import modules
from .codec import Request, Response
from .convert import AnswerError, Converter, to_response
from .deadline import DeadlinePassed, within
from .errors import HostError
from .logs import Log
from .metrics import current_load, take_over
from .routes import Emit, OwnRoutes
from .text import short

# What MLServer's status codes are as gRPC codes. The status itself goes along as a detail.
_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    422: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Loaded:
    """A model that has loaded."""

    def __init__(self, load_id: int, spec: Dict[str, Any], model: Any, converter: Converter, log: Log) -> None:
        self._load_id = load_id
        self.name: str = spec["name"]
        self.version: str = spec["version"]
        self.call_deadline_s: float = (spec.get("callDeadlineMs") or 0) / 1000
        self.description: Dict[str, Any] = {}
        self._is_batched = bool(spec.get("batching"))
        self._model = model
        self._converter = converter
        self._log = log
        self._has_predict = _overrides(model, "predict")
        self._has_stream = _overrides(model, "predict_stream")
        self._routes = OwnRoutes(model)
        self._open = 0
        # Calls that go on past their deadline.
        self._left: "set[asyncio.Task[Any]]" = set()
        self._idle: Optional["asyncio.Future[None]"] = None

    async def describe(self) -> None:
        """What the server tells of it: as its `metadata` says."""
        metadata = await self._model.metadata()
        self.description = {
            "platform": getattr(metadata, "platform", "") or "mlserver",
            "decoupled": not self._has_predict,
            "answersEach": self._has_predict and not self._has_stream,
            "inputs": [_spec(tensor) for tensor in getattr(metadata, "inputs", None) or []],
            "outputs": [_spec(tensor) for tensor in getattr(metadata, "outputs", None) or []],
        }
        parameters = _parameters(metadata)
        if parameters:
            self.description["parameters"] = parameters
        versions = getattr(metadata, "versions", None)
        if versions:
            self.description["declaredVersions"] = list(versions)
        warnings = []
        if self._is_batched and self._has_stream:
            warnings.append("max_batch_size and max_batch_time are for unary requests, not supported for inference streaming")
        if self._routes.description:
            self.description["routes"] = self._routes.description
        if warnings:
            self.description["warnings"] = warnings

    def enter(self) -> None:
        """A call or stream begins, in a task of its own."""
        self._open += 1
        _enter_context(self._model, self._load_id)

    def leave(self) -> None:
        """It has ended."""
        self._open -= 1
        if self._open == 0 and self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def infer(self, request: Request) -> Response:
        """Raises HostError."""
        if not self._has_predict:
            raise HostError("DECOUPLED_UNARY", f"'{self.name}' only streams: it has no predict")
        self.enter()
        try:
            call = self._model.predict(self._converter.to_request(request, request.id))
            if self.call_deadline_s:
                call = within(self.call_deadline_s, _settled(call), self._outlast)
            answer = await call
            return self.response(answer, request)
        except DeadlinePassed:
            raise self.timed_out() from None
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever users' code raises
            raise self.failure(error) from None
        finally:
            self.leave()

    def _outlast(self, task: "asyncio.Task[Any]") -> None:
        """The model is not unloaded before its code has ended."""
        self._open += 1
        self._left.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._left.discard(task)
        self.leave()

    async def answer_route(self, request: Request, emit: Emit) -> None:
        """A call of a route of its own. Raises what its code does."""
        await self._routes.answer(request, emit)

    def responses(self, requests: Any) -> Any:
        """What users' code yields to the requests of a stream, an asynchronous iterator."""
        if not self._has_stream:
            return self._predict_each(requests)
        answers = self._model.predict_stream(requests)
        if hasattr(answers, "__aiter__"):
            return answers.__aiter__()
        close = getattr(answers, "close", None)
        if close is not None:
            close()
        kind = type(answers).__name__
        raise HostError("RUNTIME_FAILED", f"predict_stream of '{self.name}' gave a {kind}, an async generator expected")

    async def _predict_each(self, requests: Any) -> Any:
        async for request in requests:
            yield await self._model.predict(request)

    def request(self, request: Request, first: Optional[Request]) -> Any:
        """For users' code. In a stream every request of a generator has the id of the first, as in MLServer."""
        return self._converter.to_request(request, self._id(request, first))

    def response(self, answer: Any, request: Optional[Request], first: Optional[Request] = None) -> Response:
        """Raises HostError RUNTIME_FAILED where the answer cannot be sent."""
        try:
            return to_response(answer, self.name, self.version, self._id(request, first))
        except AnswerError as error:
            text = f"answer of runtime '{self.name}': {error}"
            raise HostError("RUNTIME_FAILED", text, {"servable": self.name}) from None

    def final_response(self, request: Request, first: Optional[Request]) -> Response:
        """The mark that a request has all its responses."""
        parameters = {"triton_final_response": True}
        return Response(self.name, self.version, self._id(request, first), [], parameters)

    def _id(self, request: Optional[Request], first: Optional[Request]) -> str:
        answered = first if self._has_stream and first is not None else request
        return "" if answered is None else answered.id

    def failure(self, error: BaseException) -> HostError:
        """What the client hears of an error of users' code: its message. The traceback is for the log."""
        if isinstance(error, HostError):
            return error
        message = str(error) or type(error).__name__
        status = getattr(error, "status_code", None)
        if isinstance(status, int) and any(kind.__name__ == "MLServerError" for kind in type(error).__mro__):
            details: Dict[str, Any] = {"servable": self.name, "status": status}
            return HostError("RUNTIME_FAILED", message, details, _CODES.get(status, "UNKNOWN"))
        self._log.failure("runtime failed", error, servable=self.name)
        return HostError("RUNTIME_FAILED", message, {"servable": self.name})

    def cancelled(self) -> HostError:
        """The failure of a call that users' code cancelled."""
        return HostError("RUNTIME_FAILED", f"the code of '{self.name}' cancelled its own call", {"servable": self.name})

    def timed_out(self) -> HostError:
        """The failure of a call past its deadline."""
        text = f"a call of the code of '{self.name}' gave nothing within {self.call_deadline_s * 1000:g} ms"
        return HostError("CALL_TIMED_OUT", text, {"servable": self.name})

    async def close(self) -> None:
        """Waits for the calls and streams that are open, then unloads it. Never raises."""
        while self._open > 0:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle
        try:
            _enter_context(self._model, self._load_id)
            await self._model.unload()
        except BaseException as error:  # noqa: BLE001 - whatever users' code raises
            self._log.failure("runtime failed to unload", error, servable=self.name)


async def load_servable(load_id: int, spec: Dict[str, Any], log: Log) -> Loaded:
    """Imports the class, makes the model and loads it. Raises HostError MODEL_INVALID."""
    name = spec["name"]
    timeout_s = (spec.get("loadTimeoutMs") or 0) / 1000 or None
    try:
        python = spec.get("python") or {}
        modules.add_paths(python.get("importPaths") or [])
        import mlserver.types  # the user's package, or ours

        take_over(mlserver)
        kind = modules.load_class(spec["module"], spec["export"])
        model = kind(_settings(spec))
        _check_class(name, kind, model)
        _enter_context(model, load_id)
        is_ready = await within(timeout_s, _settled(model.load()))
        if is_ready is not None and not is_ready:
            raise HostError("MODEL_INVALID", f"runtime '{name}' failed to load: load() gave {is_ready!r}")
        model.ready = True
        loaded = Loaded(load_id, spec, model, Converter(mlserver.types), log)
        await loaded.describe()
        return loaded
    except HostError:
        raise
    except DeadlinePassed:
        text = f"runtime '{name}' failed to load: load() did not end within {timeout_s or 0:g} s"
        raise HostError("MODEL_INVALID", text) from None
    except BaseException as error:  # noqa: BLE001 - whatever users' code raises
        log.failure("runtime failed to load", error, servable=name)
        text = f"runtime '{name}' failed to load: {short(error, spec['module'])}"
        raise HostError("MODEL_INVALID", text, {"servable": name}) from None


def _settings(spec: Dict[str, Any]) -> Any:
    """`ModelSettings` of what the model's settings file says, or of an entry of the server's configuration."""
    from mlserver import ModelSettings

    stated: Dict[str, Any] = dict(spec.get("modelSettings") or {})
    stem = os.path.basename(spec["module"]).rpartition(".py")[0] or spec["module"]
    if not stated:
        folder = os.path.dirname(spec["module"])
        stated["parameters"] = {"uri": folder, "extra": dict(spec.get("parameters") or {})}
    stated["name"] = spec["name"]
    stated.setdefault("implementation", f"{stem}.{spec['export']}")
    return ModelSettings.model_validate(stated) if hasattr(ModelSettings, "model_validate") else ModelSettings(**stated)


def _check_class(name: str, kind: Any, model: Any) -> None:
    if any(_overrides(model, method) for method in ("predict", "predict_stream")):
        return
    text = f"runtime '{name}' failed to load: class {kind.__name__} has neither predict nor predict_stream"
    raise HostError("MODEL_INVALID", text)


def _overrides(model: Any, method: str) -> bool:
    """Whether the class has its own, not that of `MLModel`."""
    from mlserver import MLModel

    own = getattr(type(model), method, None)
    return callable(own) and own is not getattr(MLModel, method, None)


def _enter_context(model: Any, load_id: int) -> None:
    """For the metrics and log lines of `mlserver`: whose they are. Ends with the task."""
    from mlserver import context

    current_load.set(load_id)
    context.model_name_var.set(model.settings.name)
    context.model_version_var.set(model.settings.version or "")


async def _settled(result: Any) -> Any:
    """The value of a coroutine, or of a function that is none."""
    return await result if hasattr(result, "__await__") else result


def _spec(tensor: Any) -> Dict[str, Any]:
    datatype = getattr(tensor.datatype, "value", tensor.datatype)
    spec = {"name": tensor.name, "datatype": datatype, "shape": list(tensor.shape)}
    parameters = _parameters(tensor)
    return {**spec, "parameters": parameters} if parameters else spec


def _parameters(described: Any) -> Dict[str, Any]:
    """What metadata has in its `parameters`, as far as it is plain."""
    parameters = getattr(described, "parameters", None)
    given: Dict[str, Any] = parameters.model_dump() if parameters is not None else {}
    return {key: value for key, value in given.items() if isinstance(value, (bool, int, float, str))}
