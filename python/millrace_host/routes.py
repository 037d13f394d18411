"""
Routes of a model's own: methods with `mlserver.custom_handler`.

FastAPI calls them where it is installed, as it does in MLServer: their signatures follow its rules. Without it `plain_routes`
has the part of these rules that needs nothing else.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import unquote

from .codec import Request, Response, Tensor
from .errors import HostError
from .plain_routes import PlainRoute, parameters_of

_MARK = "__custom_handler__"
# Where nothing is raised while a handler's answer is sent, this is its last message.
_START, _BODY = "http.response.start", "http.response.body"


class OwnRoutes:
    """Of one model."""

    def __init__(self, model: Any) -> None:
        """Raises whatever FastAPI does where a signature is against its rules."""
        self._model = model
        handlers = _handlers(model)
        self.description = [{"method": method, "path": path} for method, path, _ in handlers]
        self._app: Any = None
        self._plain: List[PlainRoute] = []
        if handlers:
            self._app = _fastapi_app(handlers)
            if self._app is None:
                self._plain = [PlainRoute(*handler) for handler in handlers]

    async def answer(self, request: Request) -> Response:
        """Raises what a handler does."""
        method, _, target = request.route.partition(" ")
        path, _, query = target.partition("?")
        body = bytes(request.inputs[0].data) if request.inputs else b""
        if self._app is not None:
            status, headers, answer = await _call_app(self._app, method, path, query, request.headers, body)
        else:
            status, headers, answer = await self._call_plain(method, unquote(path), query, body)
        tensor = Tensor("body", "UINT8", [len(answer)], answer)
        return Response(request.servable, request.version, request.id, [tensor], {"status": status}, headers)

    async def _call_plain(self, method: str, path: str, query: str, body: bytes) -> Tuple[int, Dict[str, str], bytes]:
        for route in self._plain:
            params = route.match(method, path)
            if params is not None:
                return await route.call(params, query, body)
        raise HostError("INTERNAL", f"no route of the model is {method} {path}")


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
    try:
        from mlserver.rest.app import APIRoute

        app.router.route_class = APIRoute
    except ImportError:
        # Our stand-in has no server.
        pass

    async def refuse(_: Any, error: Any) -> Any:
        return JSONResponse({"error": str(error)}, error.status_code)

    app.add_exception_handler(MLServerError, refuse)
    for method, path, handler in handlers:
        app.add_api_route(path, handler, methods=[method])
    return app


def _has_our_records(handler: Any) -> bool:
    try:
        from mlserver.base import BaseModel  # only ours has such a module
    except ImportError:
        return False
    kinds = [each.annotation for each in parameters_of(handler)]
    return any(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in kinds)


async def _call_app(
    app: Any, method: str, path: str, query: str, headers: Dict[str, str], body: bytes
) -> Tuple[int, Dict[str, str], bytes]:
    """One request to an ASGI application. An answer in pieces comes as a whole."""
    scope = {
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
    }
    messages: List[Optional[bytes]] = [body]
    answer: Dict[str, Any] = {"status": 500, "headers": [], "body": bytearray()}

    async def receive() -> Dict[str, Any]:
        if messages:
            return {"type": "http.request", "body": messages.pop(), "more_body": False}
        # The client leaves by the call's being cancelled.
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def send(message: Dict[str, Any]) -> None:
        if message["type"] == _START:
            answer["status"], answer["headers"] = message["status"], message.get("headers", [])
        elif message["type"] == _BODY:
            answer["body"] += message.get("body", b"")

    await app(scope, receive, send)
    return answer["status"], _joined(answer["headers"]), bytes(answer["body"])


def _joined(headers: Any) -> Dict[str, str]:
    """Several of one name joined by commas, cookies by line ends."""
    joined: Dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        between = "\n" if name == "set-cookie" else ", "
        joined[name] = f"{joined[name]}{between}{value}" if name in joined else value
    return joined
