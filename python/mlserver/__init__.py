"""
Stands in for SeldonIO's `mlserver` package where it is not installed: what a runtime needs of it, written anew for
Millrace's Python host on the standard library alone. Where the real package is importable, that one is used.
"""

from .metrics import log, register
from .model import MLModel
from .settings import ModelParameters, ModelSettings, Settings
from .version import __version__

__all__ = ["MLModel", "ModelParameters", "ModelSettings", "Settings", "__version__", "log", "register"]
