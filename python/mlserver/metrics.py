"""Custom metrics: they appear among the server's, with the model's name and version."""

from millrace_host.metrics import log, register

__all__ = ["log", "register"]
