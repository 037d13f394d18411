"""
Routes of a model's own: methods with `mlserver.custom_handler`.

FastAPI calls them where it is installed, as it does in MLServer: their signatures follow its rules. Without it `plain_routes`
has the part of these rules that needs nothing else. Handlers that are generators are ours: their pieces are sent as they come.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import Any, Awaitable, Callable, Dict, List, Optional, Tuple, get_type_hints
from urllib.parse import unquote

from .codec import Request, Response, Tensor
from .errors import HostError
from .openapi import fastapi_operations, plain_operation
from .pieces import begun, closing, is_generator
from .plain_routes import PlainRoute, parameters_of

_MARK = "__custom_handler__"
_START, _BODY = "http.response.start", "http.response.body"
# Under this name a call's scope has the generators that its answer comes from.
_BODIES = "millrace.bodies"


# Sends a part of an answer, once there is room for it.
Emit = Callable[[Response], Awaitable[None]]


class OwnRoutes:
    """Of one model."""

    def __init__(self, model: Any) -> None:
        """Raises whatever FastAPI does where a signature is against its rules."""
        self._model = model
        handlers = _handlers(model)
        self.description: List[Dict[str, Any]] = [{"method": method, "path": path} for method, path, _ in handlers]
        self._app: Any = None
        self._plain: List[PlainRoute] = []
        if not handlers:
            return
        self._app = _fastapi_app(handlers)
        if self._app is None:
            self._plain = [PlainRoute(*handler) for handler in handlers]
            operations: List[Any] = [plain_operation(*handler) for handler in handlers]
        else:
            operations = fastapi_operations(self._app, handlers)
        for described, operation in zip(self.description, operations):
            if operation:
                described["operation"] = operation

    async def answer(self, request: Request, emit: Emit) -> None:
        """The answer, as a whole or in pieces as they come. Raises what a handler does."""
        method, _, target = request.route.partition(" ")
        path, _, query = target.partition("?")
        body = bytes(request.inputs[0].data) if request.inputs else b""
        answer = _Answer(request, emit)
        if self._app is not None:
            await _call_app(self._app, method, path, query, request.headers, body, answer)
        else:
            await self._call_plain(method, unquote(path), query, body, answer)

    async def _call_plain(self, method: str, path: str, query: str, body: bytes, answer: "_Answer") -> None:
        for route in self._plain:
            params = route.match(method, path)
            if params is None:
                continue
            status, headers, content = await route.call(params, query, body)
            answer.begin(status, headers)
            if isinstance(content, bytes):
                return await answer.piece(content, False)
            async with closing(content):
                async for piece in content:
                    await answer.piece(piece, True)
            return await answer.piece(b"", False)
        raise HostError("INTERNAL", f"no route of the model is {method} {path}")


class _Answer:
    """The head waits for the first piece, so that what fails before it has its own status."""

    def __init__(self, request: Request, emit: Emit) -> None:
        self._request = request
        self._emit = emit
        self._parameters: Dict[str, Any] = {}
        self._headers: Optional[Dict[str, str]] = None
        self._has_begun = False

    def begin(self, status: int, headers: Dict[str, str]) -> None:
        self._parameters, self._headers = {"status": status}, headers

    async def piece(self, data: bytes, has_more: bool) -> None:
        if self._has_begun and not data:
            return
        parameters = {**self._parameters, "more": True} if has_more and not self._has_begun else self._parameters
        tensors = [Tensor("body", "UINT8", [len(data)], data)]
        request = self._request
        response = Response(request.servable, request.version, request.id, tensors, parameters, self._headers)
        self._has_begun, self._parameters, self._headers = True, {}, None
        await self._emit(response)


def _handlers(model: Any) -> List[Tuple[str, str, Any]]:
    """Method, path and the bound method of each."""
    found = []
    for name, member in inspect.getmembers(type(model)):
        handler = getattr(member, _MARK, None)
        if handler is not None:
            found.append((handler.rest_method.upper(), handler.rest_path, getattr(model, name)))
    return found


def _fastapi_app(handlers: List[Tuple[str, str, Any]]) -> Any:
    """None where FastAPI is not installed, or a signature has a record of our stand-in for `mlserver`, which it does not know."""
    try:
        import fastapi
        from fastapi.responses import JSONResponse
    except ImportError:
        return None
    if any(_has_our_records(handler) for _, _, handler in handlers):
        return None
    from mlserver.errors import MLServerError

    app = fastapi.FastAPI(openapi_url=None)
    app.router.route_class = _route_class()

    async def refuse(_: Any, error: Any) -> Any:
        return JSONResponse({"error": str(error)}, error.status_code)

    app.add_exception_handler(MLServerError, refuse)
    for method, path, handler in handlers:
        app.add_api_route(path, _streamed(handler) if is_generator(handler) else handler, methods=[method])
    return app


def _route_class() -> Any:
    """MLServer's, or FastAPI's where there is our stand-in; it tells whose pieces an answer is made of."""
    try:
        from mlserver.rest.app import APIRoute
    except ImportError:
        from fastapi.routing import APIRoute

    class Route(APIRoute):  # type: ignore[misc, valid-type]
        def get_route_handler(self) -> Any:
            handle = super().get_route_handler()

            async def handle_and_tell(request: Any) -> Any:
                response = await handle(request)
                body = getattr(response, "body_iterator", None)
                if hasattr(body, "aclose"):
                    request.scope[_BODIES].append(body)
                return response

            return handle_and_tell

    return Route


def _streamed(handler: Any) -> Any:
    """What FastAPI has for a generator."""
    from fastapi.responses import StreamingResponse

    @functools.wraps(handler)
    async def answer(*args: Any, **kwargs: Any) -> Any:
        kind, pieces = await begun(handler(*args, **kwargs))
        return StreamingResponse(pieces, media_type=kind)

    # FastAPI would make a schema of what the generator yields, and look for the names of types in this module.
    hints = get_type_hints(handler, include_extras=True)
    parameters = inspect.signature(handler).parameters.values()
    resolved = [each.replace(annotation=hints.get(each.name, each.annotation)) for each in parameters]
    answer.__signature__ = inspect.Signature(resolved)  # type: ignore[attr-defined]
    answer.__annotations__ = {name: kind for name, kind in hints.items() if name != "return"}
    return answer


def _has_our_records(handler: Any) -> bool:
    try:
        from mlserver.base import BaseModel  # only ours has such a module
    except ImportError:
        return False
    kinds = [each.annotation for each in parameters_of(handler)]
    return any(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in kinds)


async def _call_app(
    app: Any, method: str, path: str, query: str, headers: Dict[str, str], body: bytes, answer: _Answer
) -> None:
    """One request to an ASGI application."""
    scope: Dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()],
        "client": None,
        "server": None,
        _BODIES: [],
    }
    messages: List[Optional[bytes]] = [body]

    async def receive() -> Dict[str, Any]:
        if messages:
            return {"type": "http.request", "body": messages.pop(), "more_body": False}
        # The client leaves by the call's being cancelled.
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def send(message: Dict[str, Any]) -> None:
        if message["type"] == _START:
            answer.begin(message["status"], _joined(message.get("headers", [])))
        elif message["type"] == _BODY:
            await answer.piece(bytes(message.get("body", b"")), message.get("more_body", False))

    try:
        await app(scope, receive, send)
    finally:
        # A client that left leaves them at their `yield`.
        for body in scope[_BODIES]:
            await body.aclose()


def _joined(headers: Any) -> Dict[str, str]:
    """Several of one name joined by commas, cookies by line ends."""
    joined: Dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        between = "\n" if name == "set-cookie" else ", "
        joined[name] = f"{joined[name]}{between}{value}" if name in joined else value
    return joined
