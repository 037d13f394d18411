"""
What FastAPI does with a handler's signature, as far as it needs no package: parameters that stand in the path or the query
are converted by their annotation; records of `mlserver.types`, pydantic models, dicts and lists come from the body's JSON.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import types
from typing import Any, AsyncIterator, Dict, List, Optional, Tuple, Union, get_args, get_origin, get_type_hints
from urllib.parse import parse_qs

from .pieces import begun, is_generator

_KINDS = {
    "str": "[^/]+",
    "path": ".*",
    "int": "[0-9]+",
    "float": "[0-9]+(?:\\.[0-9]+)?",
    "uuid": "[0-9a-fA-F-]{36}",
}
_WORDS = {"1": True, "true": True, "on": True, "yes": True, "0": False, "false": False, "off": False, "no": False}

# `T | None` has a type of its own from Python 3.10 to 3.13.
_UNIONS = (Union, getattr(types, "UnionType", Union))

# Status, headers, and the body, or its pieces as they come.
Answer = Tuple[int, Dict[str, str], Union[bytes, AsyncIterator[bytes]]]


class _Unfit(Exception):
    """A parameter that is missing or does not fit: where, and why."""


class PlainRoute:
    """One handler."""

    def __init__(self, method: str, path: str, handler: Any) -> None:
        self._method = method
        self._pattern = re.compile(re.sub(r"\\{(\w+)(?::(\w+))?\\}", _group, re.escape(path)))
        self._handler = handler
        self._parameters = parameters_of(handler)
        in_path = set(self._pattern.groupindex)
        self._of_body = [each for each in self._parameters if each.name not in in_path and is_of_body(each.annotation)]

    def match(self, method: str, path: str) -> Optional[Dict[str, str]]:
        """What stands in the place of the path's placeholders."""
        found = self._pattern.fullmatch(path) if method == self._method else None
        return None if found is None else found.groupdict()

    async def call(self, params: Dict[str, str], query: str, body: bytes) -> Answer:
        """Raises what the handler does; what does not fit its signature is answered 422."""
        try:
            arguments = self._arguments(params, parse_qs(query, keep_blank_values=True), body)
        except _Unfit as fault:
            where, why = fault.args
            return _json(422, {"detail": [{"type": "value_error", "loc": where, "msg": why}]})
        if is_generator(self._handler):
            kind, pieces = await begun(self._handler(**arguments))
            return 200, {"content-type": kind}, pieces
        if inspect.iscoroutinefunction(self._handler):
            return _json(200, await self._handler(**arguments))
        # One that is no coroutine may block; its context goes along.
        return _json(200, await asyncio.to_thread(self._handler, **arguments))

    def _arguments(self, params: Dict[str, str], query: Dict[str, List[str]], body: bytes) -> Dict[str, Any]:
        arguments: Dict[str, Any] = {}
        for each in self._parameters:
            name = each.name
            if each in self._of_body:
                arguments[name] = self._from_body(each, body)
            elif name in params:
                arguments[name] = _converted(each, params[name], "path")
            elif name in query:
                arguments[name] = _converted(each, query[name][-1], "query")
            elif each.default is inspect.Parameter.empty:
                raise _Unfit(["query", name], "Field required")
        return arguments

    def _from_body(self, each: inspect.Parameter, body: bytes) -> Any:
        """A body for one parameter is the parameter; for several it has a key for each."""
        where = ["body"] if len(self._of_body) == 1 else ["body", each.name]
        try:
            value = json.loads(body) if body else None
        except ValueError as error:
            raise _Unfit(["body"], f"JSON decode error: {error}") from None
        if len(self._of_body) > 1:
            value = value.get(each.name) if isinstance(value, dict) else None
        if value is None:
            if each.default is inspect.Parameter.empty:
                raise _Unfit(where, "Field required")
            return each.default
        validate = getattr(each.annotation, "model_validate", None)
        if validate is None:
            return value
        try:
            return validate(value)
        except ValueError as error:
            raise _Unfit(where, str(error)) from None


def parameters_of(handler: Any) -> List[inspect.Parameter]:
    """Of a signature, each with its annotation itself where the code has it as a text, without None."""
    hints = get_type_hints(handler)
    parameters = inspect.signature(handler).parameters.values()
    return [each.replace(annotation=_without_none(hints.get(each.name, each.annotation))) for each in parameters]


def _without_none(hint: Any) -> Any:
    """`T` of `Optional[T]` and `T | None`."""
    if get_origin(hint) not in _UNIONS:
        return hint
    others = [each for each in get_args(hint) if each is not type(None)]
    return others[0] if len(others) == 1 else hint


def _group(found: "re.Match[str]") -> str:
    return f"(?P<{found[1]}>{_KINDS[found[2] or 'str']})"


def is_of_body(annotation: Any) -> bool:
    """Whether a parameter with such an annotation comes from the body, where it is not in the path."""
    plain = getattr(annotation, "__origin__", annotation)
    return plain in (dict, list) or hasattr(annotation, "model_validate")


def _converted(each: inspect.Parameter, text: str, place: str) -> Any:
    where = [place, each.name]
    if each.annotation is bool:
        if text.lower() not in _WORDS:
            raise _Unfit(where, "Input should be a valid boolean")
        return _WORDS[text.lower()]
    if each.annotation in (int, float):
        try:
            return each.annotation(text)
        except ValueError:
            raise _Unfit(where, f"Input should be a valid {each.annotation.__name__}") from None
    return text


def _json(status: int, answer: Any) -> Answer:
    text = json.dumps(answer, default=_plain, ensure_ascii=False, separators=(",", ":"))
    return status, {"content-type": "application/json"}, text.encode()


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode()
    raise TypeError(f"a handler's answer has a {type(value).__name__}, which cannot be said in JSON")
