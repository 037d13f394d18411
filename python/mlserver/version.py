"""The version of the package that this stands in for."""

__version__ = "1.7.1+millrace"
