"""Errors in one line, and JSON for the server."""

from __future__ import annotations

import json
import math
import os
import traceback
from typing import Any


def short(error: BaseException, module: str) -> str:
    """With the place in the user's file where there is one."""
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} ({os.path.basename(error.filename or module)}, line {error.lineno})"
    text = f"{type(error).__name__}: {error}"
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == os.path.abspath(module)]
    return f"{text} ({os.path.basename(module)}, line {own[-1].lineno})" if own else text


def json_text(value: Any) -> str:
    """For the server. NaN and the infinities, which JSON has no words for, are left out of objects; in lists they are null."""
    return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items() if not _is_no_number(each)}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if _is_no_number(value) else value


def _is_no_number(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
