"""Records with checked fields and the methods that pydantic's models have."""

from __future__ import annotations

import json
from typing import Any, Callable, ClassVar, Dict, Mapping, Sequence, Tuple, Type, TypeVar

Self = TypeVar("Self", bound="BaseModel")
Check = Callable[[str, Any], Any]


class ValidationError(ValueError):
    """A field that is missing or wrong."""


class BaseModel:
    """
    Fields are declared in `_fields`, each with what checks and converts its value; those without a default in `_defaults`
    are required. Unknown ones are kept where `_keeps_unknown`, else ignored.
    """

    _fields: ClassVar[Mapping[str, Check]] = {}
    _defaults: ClassVar[Mapping[str, Any]] = {}
    _keeps_unknown: ClassVar[bool] = False
    # The fields, each with where a fault in it is said to be, and its check.
    _checks: ClassVar[Sequence[Tuple[str, str, Check]]] = ()

    def __init_subclass__(cls) -> None:
        cls._checks = [(name, f"{cls.__name__}.{name}", check) for name, check in cls._fields.items()]

    def __init__(self, **values: Any) -> None:
        kind = type(self)
        for name, where, check in kind._checks:
            if name in values:
                setattr(self, name, check(where, values[name]))
            elif name in kind._defaults:
                default = kind._defaults[name]
                setattr(self, name, default() if callable(default) else default)
            else:
                raise ValidationError(f"{where}: nothing given, it is required")
        if kind._keeps_unknown:
            for name, value in values.items():
                if name not in kind._fields:
                    setattr(self, name, value)

    @classmethod
    def model_construct(cls: Type[Self], **values: Any) -> Self:
        """Without checks."""
        made = cls.__new__(cls)
        fields = made.__dict__
        for name, default in cls._defaults.items():
            fields[name] = default() if callable(default) else default
        fields.update(values)
        return made

    @classmethod
    def construct(cls: Type[Self], **values: Any) -> Self:
        return cls.model_construct(**values)

    @classmethod
    def model_validate(cls: Type[Self], value: Any) -> Self:
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise ValidationError(f"{cls.__name__}: {type(value).__name__} given, object expected")
        return cls(**value)

    @classmethod
    def parse_obj(cls: Type[Self], value: Any) -> Self:
        return cls.model_validate(value)

    @classmethod
    def model_validate_json(cls: Type[Self], text: Any) -> Self:
        try:
            return cls.model_validate(json.loads(text))
        except json.JSONDecodeError as error:
            raise ValidationError(f"{cls.__name__}: no JSON: {error}") from None

    @classmethod
    def parse_raw(cls: Type[Self], text: Any) -> Self:
        return cls.model_validate_json(text)

    @classmethod
    def parse_file(cls: Type[Self], path: Any) -> Self:
        with open(path, encoding="utf-8") as file:
            return cls.model_validate_json(file.read())

    def model_dump(self, exclude_unset: bool = True, exclude_none: bool = True, **_: Any) -> Dict[str, Any]:
        """As plain values; without the fields that are None unless both switches are off."""
        leave_out = exclude_none or exclude_unset
        return {
            name: _dump(value, leave_out)
            for name, value in self.__dict__.items()
            if not name.startswith("_") and not (leave_out and value is None)
        }

    def dict(self, exclude_unset: bool = False, exclude_none: bool = False, **_: Any) -> Dict[str, Any]:
        return self.model_dump(exclude_unset=exclude_unset, exclude_none=exclude_none)

    def model_dump_json(self, exclude_unset: bool = True, exclude_none: bool = True, **_: Any) -> str:
        plain = self.model_dump(exclude_unset=exclude_unset, exclude_none=exclude_none)
        return json.dumps(plain, default=_json_default, separators=(",", ":"), ensure_ascii=False)

    def json(self, exclude_unset: bool = False, exclude_none: bool = False, **_: Any) -> str:
        return self.model_dump_json(exclude_unset=exclude_unset, exclude_none=exclude_none)

    def model_copy(self: Self, update: Any = None, deep: bool = False) -> Self:
        import copy

        made = copy.deepcopy(self) if deep else copy.copy(self)
        made.__dict__.update(update or {})
        return made

    def copy(self: Self, update: Any = None, deep: bool = False) -> Self:
        return self.model_copy(update=update, deep=deep)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items() if not name.startswith("_"))
        return f"{type(self).__name__}({fields})"


def _dump(value: Any, leave_out: bool) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=leave_out, exclude_none=leave_out)
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if isinstance(value, dict):
        return {key: _dump(entry, leave_out) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_dump(entry, leave_out) for entry in value]
    return value


def _json_default(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode()
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be said in JSON")


def anything(_: str, value: Any) -> Any:
    return value


def a(kind: type) -> Check:
    """A value of a type; where floats are wanted, whole numbers too."""

    def check(where: str, value: Any) -> Any:
        if type(value) is kind:
            return value
        is_number = kind is float and isinstance(value, int) and not isinstance(value, bool)
        if is_number or (isinstance(value, kind) and not (kind is int and isinstance(value, bool))):
            return value
        raise ValidationError(f"{where}: {type(value).__name__} given, {kind.__name__} expected")

    return check


def optional(check: Check) -> Check:
    return lambda where, value: None if value is None else check(where, value)


def a_list(check: Check) -> Check:
    def each(where: str, value: Any) -> Any:
        if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__iter__"):
            raise ValidationError(f"{where}: {type(value).__name__} given, list expected")
        entries = value if isinstance(value, list) else list(value)
        try:
            return [check(where, entry) for entry in entries]
        except ValidationError:
            # Once more, to say which one.
            return [check(f"{where}[{at}]", entry) for at, entry in enumerate(entries)]

    return each


def model(kind: Callable[[], Type[BaseModel]]) -> Check:
    """A record, or the object that one is made of."""

    def check(where: str, value: Any) -> Any:
        found = kind()
        if isinstance(value, found):
            return value
        if isinstance(value, Mapping):
            return found(**value)
        raise ValidationError(f"{where}: {type(value).__name__} given, {found.__name__} expected")

    return check
