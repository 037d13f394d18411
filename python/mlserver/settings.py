"""Settings of a model, as its `model-settings.json` says."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional

from .base import BaseModel, a, a_list, anything, model, optional
from .types import MetadataTensor

_text = a(str)


class ModelParameters(BaseModel):
    """Any other keys are attributes too."""

    uri: Optional[str]
    version: Optional[str]
    environment_path: Optional[str]
    environment_tarball: Optional[str]
    inference_pool_gid: Optional[str]
    autogenerate_inference_pool_gid: bool
    format: Optional[str]
    content_type: Optional[str]
    extra: Optional[Dict[str, Any]]
    _fields = {
        "uri": optional(_text),
        "version": optional(_text),
        "environment_path": optional(_text),
        "environment_tarball": optional(_text),
        "inference_pool_gid": optional(_text),
        "autogenerate_inference_pool_gid": a(bool),
        "format": optional(_text),
        "content_type": optional(_text),
        "extra": optional(a(dict)),
    }
    _defaults = {
        "uri": None,
        "version": None,
        "environment_path": None,
        "environment_tarball": None,
        "inference_pool_gid": None,
        "autogenerate_inference_pool_gid": False,
        "format": None,
        "content_type": None,
        "extra": dict,
    }
    _keeps_unknown = True


class ModelSettings(BaseModel):
    """Unknown keys are ignored."""

    implementation: Any
    name: str
    platform: str
    versions: List[str]
    inputs: List[MetadataTensor]
    outputs: List[MetadataTensor]
    parallel_workers: Optional[int]
    warm_workers: bool
    max_batch_size: int
    max_batch_time: float
    parameters: Optional[ModelParameters]
    cache_enabled: bool
    _source: Optional[str] = None
    _fields = {
        "implementation": anything,
        "name": _text,
        "platform": _text,
        "versions": a_list(_text),
        "inputs": a_list(model(lambda: MetadataTensor)),
        "outputs": a_list(model(lambda: MetadataTensor)),
        "parallel_workers": optional(a(int)),
        "warm_workers": a(bool),
        "max_batch_size": a(int),
        "max_batch_time": a(float),
        "parameters": optional(model(lambda: ModelParameters)),
        "cache_enabled": a(bool),
    }
    _defaults = {
        "name": "",
        "platform": "",
        "versions": list,
        "inputs": list,
        "outputs": list,
        "parallel_workers": None,
        "warm_workers": False,
        "max_batch_size": 0,
        "max_batch_time": 0.0,
        "parameters": None,
        "cache_enabled": False,
    }

    @property
    def version(self) -> Optional[str]:
        return None if self.parameters is None else self.parameters.version

    @classmethod
    def parse_file(cls, path: Any) -> "ModelSettings":
        with open(path, encoding="utf-8") as file:
            made = cls(**json.load(file))
        made._source = str(path)
        return made


class Settings(BaseModel):
    """Settings of a server. A runtime is not given any: the server is not in this process."""

    _keeps_unknown = True
