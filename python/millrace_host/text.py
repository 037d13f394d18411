"""Errors in one line."""

from __future__ import annotations

import os
import traceback


def short(error: BaseException, module: str) -> str:
    """With the place in the user's file where there is one."""
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg} ({os.path.basename(error.filename or module)}, line {error.lineno})"
    text = f"{type(error).__name__}: {error}"
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == os.path.abspath(module)]
    return f"{text} ({os.path.basename(module)}, line {own[-1].lineno})" if own else text
