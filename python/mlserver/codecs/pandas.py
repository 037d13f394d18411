"""`pd`: a data frame, one tensor per column. pandas is imported when one is first decoded."""

from __future__ import annotations

import json
import sys
from typing import Any, List, Optional

from ..types import InferenceRequest, InferenceResponse, Parameters, RequestInput, ResponseOutput
from .base import RequestCodec, register_request_codec
from .errors import CodecError
from .numpy import convert_nan, to_datatype, to_dtype
from .string import encode_str
from .utils import as_input, as_list, get_decoded_or_raw, inject_batch_dimension

_JSON = "pd_json"


def _to_series(tensor: Any) -> Any:
    import pandas

    parameters = tensor.parameters
    if parameters is not None and parameters.content_type == _JSON:
        return pandas.Series([_cell(tensor.name, cell) for cell in as_list(tensor.data.root)])
    payload = get_decoded_or_raw(tensor)
    values = payload.reshape(-1) if hasattr(payload, "reshape") else list(as_list(getattr(payload, "root", payload)))
    if tensor.datatype == "BYTES":
        return pandas.Series(values)
    return pandas.Series(values, dtype=to_dtype(tensor))


def _cell(name: str, cell: Any) -> Any:
    try:
        return json.loads(cell)
    except ValueError as error:
        raise CodecError(f"column '{name}' is no JSON: {error}") from None


def _to_output(series: Any, use_bytes: bool) -> ResponseOutput:
    datatype = to_datatype(series.dtype) if hasattr(series.dtype, "kind") else "BYTES"
    data = series.tolist()
    content_type: Optional[str] = None
    if datatype == "BYTES":
        if all(isinstance(cell, (str, bytes)) for cell in data):
            content_type = "str"
        else:
            content_type = _JSON
            data = [json.dumps(cell, ensure_ascii=False, separators=(",", ":"), default=_plain) for cell in data]
        data = [encode_str(cell) if use_bytes and isinstance(cell, str) else cell for cell in data]
    else:
        data = [convert_nan(value) for value in data]
    return ResponseOutput(
        name=str(series.name),
        shape=inject_batch_dimension([len(data)]),
        data=data,
        datatype=datatype,
        parameters=content_type and Parameters(content_type=content_type),
    )


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be said in JSON")


@register_request_codec
class PandasCodec(RequestCodec):
    ContentType = "pd"
    JsonContentType = _JSON
    TypeHint = "pandas.core.frame.DataFrame"

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        pandas = sys.modules.get("pandas")
        return pandas is not None and isinstance(payload, pandas.DataFrame)

    @classmethod
    def encode_outputs(cls, payload: Any, use_bytes: bool = True) -> List[ResponseOutput]:
        return [_to_output(payload[column], use_bytes) for column in payload]

    @classmethod
    def encode_response(
        cls,
        model_name: str,
        payload: Any,
        model_version: Optional[str] = None,
        use_bytes: bool = True,
        **kwargs: Any,
    ) -> InferenceResponse:
        return InferenceResponse(
            model_name=model_name,
            model_version=model_version,
            parameters=Parameters(content_type=cls.ContentType),
            outputs=cls.encode_outputs(payload, use_bytes),
        )

    @classmethod
    def decode_response(cls, response: InferenceResponse) -> Any:
        return _frame(response.outputs)

    @classmethod
    def encode_request(cls, payload: Any, use_bytes: bool = True, **kwargs: Any) -> InferenceRequest:
        inputs: List[RequestInput] = [as_input(output) for output in cls.encode_outputs(payload, use_bytes)]
        return InferenceRequest(parameters=Parameters(content_type=cls.ContentType), inputs=inputs)

    @classmethod
    def decode_request(cls, request: InferenceRequest) -> Any:
        return _frame(request.inputs)


def _frame(tensors: List[Any]) -> Any:
    import pandas

    return pandas.DataFrame({tensor.name: _to_series(tensor) for tensor in tensors})
