"""Finds users' classes: a file and a class in it, or a dotted name."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType
from typing import Any, List, Sequence, Set, Tuple

from .errors import HostError

# Folders that users' files were imported from.
_roots: Set[str] = set()


def add_paths(folders: Sequence[str]) -> None:
    """Puts folders before all others on `sys.path`, in this order."""
    for folder in reversed(list(folders)):
        _add_path(folder)


def load_class(path: str, name: str) -> Any:
    """
    The class `name` of a `.py` file, or of a module by its dotted name. The file's folder is on `sys.path` from then on,
    since the class may import its neighbours at any time.
    Raises HostError MODEL_INVALID where there is no such class; whatever the module raises while it is imported.
    """
    module = _import_file(path) if path.endswith(".py") else importlib.import_module(path)
    found = getattr(module, name, None)
    if isinstance(found, type):
        return found
    classes = sorted(
        key for key, value in vars(module).items() if isinstance(value, type) and value.__module__ == module.__name__
    )
    what = "is no class" if found is not None else "is not there"
    known = f"it has {', '.join(classes)}" if classes else "it has no class"
    raise HostError("MODEL_INVALID", f"class '{name}' {what} in {os.path.basename(path)}; {known}")


def _import_file(path: str) -> ModuleType:
    root, dotted = _dotted_name(path)
    _add_path(root)
    top = dotted.partition(".")[0]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        own_top = name.partition(".")[0]
        if _is_below(file, root):
            # The file may have changed.
            is_stale = name == dotted
        else:
            # Another model's, or a library's, of the same name: this one's takes its place for what is imported now.
            is_stale = own_top == top or _is_of_another(file) and _has(root, own_top)
        if is_stale:
            del sys.modules[name]
    _roots.add(root)
    importlib.invalidate_caches()
    return importlib.import_module(dotted)


def _is_of_another(file: Any) -> bool:
    return any(_is_below(file, root) for root in _roots)


def _has(folder: str, module: str) -> bool:
    path = os.path.join(folder, module)
    return os.path.isfile(f"{path}.py") or os.path.isdir(path)


def _dotted_name(path: str) -> Tuple[str, str]:
    """The folder that a file is imported from, and its name there: `pkg.sub` for a module of a package."""
    folder, file = os.path.split(os.path.abspath(path))
    stem = file[: -len(".py")]
    parts: List[str] = [] if stem == "__init__" else [stem]
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        parts.insert(0, package)
    return folder, ".".join(parts)


def _is_below(file: Any, folder: str) -> bool:
    return isinstance(file, str) and os.path.abspath(file).startswith(os.path.join(folder, ""))


def _add_path(folder: str) -> None:
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path.insert(0, folder)
