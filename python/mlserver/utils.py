"""Helpers of runtimes."""

from __future__ import annotations

import os
import uuid
from typing import Any, Sequence
from urllib.parse import urlparse

from .errors import InvalidModelURI


async def get_model_uri(settings: Any, wellknown_filenames: Sequence[str] = ()) -> str:
    """
    Where the model's files are: `parameters.uri`, or in that folder the first file of the given names. URIs of other
    schemes than `file` come back as they are. Raises InvalidModelURI.
    """
    uri = settings.parameters.uri if settings.parameters is not None else None
    if not uri:
        raise InvalidModelURI(settings.name)
    parsed = urlparse(uri, scheme="file")
    if parsed.scheme != "file":
        return str(uri)
    path = to_absolute_path(settings, parsed.path)
    if os.path.isfile(path):
        return path
    if not os.path.isdir(path):
        raise InvalidModelURI(settings.name, path)
    candidates = (os.path.join(path, name) for name in wellknown_filenames)
    return next((file for file in candidates if os.path.isfile(file)), path)


def to_absolute_path(model_settings: Any, uri: str) -> str:
    """Relative to the settings file, where there is one."""
    source = model_settings._source
    return uri if source is None else os.path.normpath(os.path.join(os.path.dirname(source), uri))


def generate_uuid() -> str:
    return str(uuid.uuid4())
