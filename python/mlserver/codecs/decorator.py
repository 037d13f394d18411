"""`decode_args`: a `predict` of plain Python values, whose signature says which codec each takes."""

from __future__ import annotations

import functools
from typing import Any, Callable, Dict, List, Optional, Tuple, Union, get_args, get_origin, get_type_hints

from ..types import InferenceRequest, InferenceResponse, ResponseOutput
from .base import InputCodec, find_input_codec, find_request_codec
from .errors import CodecNotFound, InputsNotFound, OutputNotFound


def decode_args(predict: Callable[..., Any]) -> Callable[..., Any]:
    """
    Inputs go to the parameters of their names, by the codecs of their type hints; those that no parameter is called after
    go together to the one with a request's type, such as a data frame. What is returned becomes `output-0`, `output-1`, …
    """
    signature = _Signature(predict)

    @functools.wraps(predict)
    async def inner(self: Any, request: InferenceRequest) -> InferenceResponse:
        result = await predict(self, **signature.decode(request))
        return InferenceResponse(
            model_name=self.name, model_version=self.version, outputs=signature.encode(result, self.name)
        )

    return inner


class _Signature:
    def __init__(self, predict: Callable[..., Any]) -> None:
        hints = {name: _without_none(hint) for name, hint in get_type_hints(predict).items()}
        returned = hints.pop("return", None)
        self._inputs: Dict[str, Any] = {name: _codec(name, hint, True) for name, hint in hints.items()}
        self._output_hints: List[Any] = _parts(returned)
        self._outputs = [_codec(None, hint, False) for hint in self._output_hints]

    def decode(self, request: InferenceRequest) -> Dict[str, Any]:
        values: Dict[str, Any] = {}
        others = []
        for each in request.inputs:
            codec = self._inputs.get(each.name)
            if codec is None:
                others.append(each)
            elif _is_input_codec(codec):
                values[each.name] = codec.decode_input(each)
            else:
                raise CodecNotFound(name=each.name, is_input=True)
        if others:
            whole = next(((name, codec) for name, codec in self._inputs.items() if not _is_input_codec(codec)), None)
            if whole is None:
                raise InputsNotFound(others, self._inputs)
            values[whole[0]] = whole[1].decode_request(InferenceRequest(inputs=others))
        return values

    def encode(self, result: Any, model_name: str) -> List[ResponseOutput]:
        outputs: List[ResponseOutput] = []
        for at, payload in enumerate([] if result is None else _values(result)):
            if at >= len(self._outputs) or not self._outputs[at].can_encode(payload):
                raise OutputNotFound(at, type(payload), self._output_hints)
            codec = self._outputs[at]
            if _is_input_codec(codec):
                outputs.append(codec.encode_output(name=f"output-{at}", payload=payload))
            else:
                outputs.extend(codec.encode_response(model_name, payload).outputs)
        return outputs


def _codec(name: Optional[str], hint: Any, is_input: bool) -> Any:
    codec = find_input_codec(type_hint=hint) or find_request_codec(type_hint=hint)
    if codec is None:
        raise CodecNotFound(name=name, payload_type=str(hint), is_input=is_input)
    return codec


def _is_input_codec(codec: Any) -> bool:
    return issubclass(codec, InputCodec) if isinstance(codec, type) else isinstance(codec, InputCodec)


def _without_none(hint: Any) -> Any:
    """`T` of `Optional[T]`."""
    args = get_args(hint)
    if get_origin(hint) is Union and len(args) == 2 and type(None) in args:
        return next(arg for arg in args if arg is not type(None))
    return hint


def _parts(hint: Any) -> List[Any]:
    if hint is None or hint is type(None):
        return []
    return list(get_args(hint)) if get_origin(hint) is tuple else [hint]


def _values(result: Any) -> Tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)
