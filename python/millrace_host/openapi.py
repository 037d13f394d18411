"""What `/openapi.json` says of a model's own routes: an operation of OpenAPI for each, as far as it is known."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any, Dict, List, Optional, Tuple

from .pieces import is_generator
from .plain_routes import is_of_body, parameters_of

Handler = Tuple[str, str, Any]
_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_NAME = re.compile(r"\{(\w+)(?::\w+)?\}")
_REF = "#/components/schemas/"


def plain_operation(_: str, path: str, handler: Any) -> Dict[str, Any]:
    """By the handler's signature, as `plain_routes` reads it."""
    in_path = set(_NAME.findall(path))
    operation: Dict[str, Any] = _said(handler)
    parameters: List[Dict[str, Any]] = []
    body: List[inspect.Parameter] = []
    for each in parameters_of(handler):
        is_required = each.default is inspect.Parameter.empty
        if each.name not in in_path and is_of_body(each.annotation):
            body.append(each)
            continue
        schema: Dict[str, Any] = {"type": _TYPES.get(each.annotation, "string")}
        if not is_required and isinstance(each.default, (str, int, float, bool)):
            schema["default"] = each.default
        place = "path" if each.name in in_path else "query"
        parameters.append({"name": each.name, "in": place, "required": is_required or place == "path", "schema": schema})
    if parameters:
        operation["parameters"] = parameters
    if body:
        schemas = {each.name: _of_body(each) for each in body}
        schema = schemas[body[0].name] if len(body) == 1 else {"type": "object", "properties": schemas}
        is_required = any(each.default is inspect.Parameter.empty for each in body)
        operation["requestBody"] = {"required": is_required, "content": {"application/json": {"schema": schema}}}
    return operation


def fastapi_operations(app: Any, handlers: List[Handler]) -> List[Optional[Dict[str, Any]]]:
    """As FastAPI describes them; schemas that it names stand in their places. None where it has no words for one."""
    try:
        from fastapi.openapi.utils import get_openapi

        document = json.loads(json.dumps(get_openapi(title="", version="", routes=app.routes)))
    except Exception:  # noqa: BLE001 - a type of the user's that has no schema
        return [None for _ in handlers]
    schemas = document.get("components", {}).get("schemas", {})
    paths = document.get("paths", {})
    operations: List[Optional[Dict[str, Any]]] = []
    for method, path, handler in handlers:
        operation = paths.get(_NAME.sub(r"{\1}", path), {}).get(method.lower())
        if operation is None:
            operations.append(None)
            continue
        operation.pop("operationId", None)
        if is_generator(handler):
            operation["responses"]["200"] = {"description": "Pieces, as they come."}
        operations.append(_whole(operation, schemas, ()))
    return operations


def _said(handler: Any) -> Dict[str, Any]:
    text = inspect.getdoc(handler)
    return {} if text is None else {"description": text}


def _of_body(each: inspect.Parameter) -> Dict[str, Any]:
    schema = getattr(each.annotation, "model_json_schema", None)
    if schema is not None:
        try:
            described = json.loads(json.dumps(schema(ref_template=_REF + "{model}")))
            return _whole(described, described.pop("$defs", {}), ())  # type: ignore[no-any-return]
        except Exception:  # noqa: BLE001 - a type that has no schema
            return {"type": "object"}
    plain = getattr(each.annotation, "__origin__", each.annotation)
    return {"type": "array", "items": {}} if plain is list else {"type": "object"}


def _whole(value: Any, schemas: Dict[str, Any], within: Tuple[str, ...]) -> Any:
    """With each reference's schema in its place; one inside itself is left open."""
    if isinstance(value, list):
        return [_whole(each, schemas, within) for each in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if isinstance(reference, str) and reference.startswith(_REF):
        name = reference[len(_REF) :]
        return {} if name in within or name not in schemas else _whole(schemas[name], schemas, (*within, name))
    return {key: _whole(each, schemas, within) for key, each in value.items()}
