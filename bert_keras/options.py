"""Settings that are declared once: a dataclass field, from which flags, help and records are made.

A field says its default, its help text and the name under which a run records it. That name is part
of a run folder's format, so it stays when the Python name changes. `bert_keras.cli` makes the flag
of the same name.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeVar

from bert_keras.errors import InputError

T = TypeVar("T")


def option(
    default: Any,
    help: str,
    *,
    name: str | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    of_call: bool = False,
    of_model: bool = False,
) -> Any:
    """Declares a setting, as the default of a dataclass field.

    Args:
        default: the value where none is given.
        help: one line for people.
        name: under which a run records it; the field's own name unless given.
        minimum: the least number allowed.
        maximum: the largest number allowed.
        of_call: whether it says how one call is done, not what the run is. It is not recorded.
        of_model: whether it says what the model is, so that no later call may change it.

    Returns:
        A `dataclasses.field`.
    """
    metadata = {
        "help": help,
        "name": name,
        "minimum": minimum,
        "maximum": maximum,
        "of_call": of_call,
        "of_model": of_model,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Option:
    """One setting of a settings class.

    Attributes:
        field: the name of the Python argument.
        parent: the argument that holds it, where that is a group of settings, such as `columns`.
        name: the name in records and of the flag.
        kind: str, int, float, bool or tuple, the type of a value.
        choices: the values allowed; empty where any value of the type is.
        default: the value where none is given.
        help: one line for people.
        minimum: the least number allowed.
        maximum: the largest number allowed.
        of_call: see `option`.
        of_model: see `option`.
    """

    field: str
    parent: str | None
    name: str
    kind: type
    choices: tuple[str, ...]
    default: Any
    help: str
    minimum: float | None
    maximum: float | None
    of_call: bool
    of_model: bool

    def check(self, value: Any) -> None:
        """Checks a value.

        Raises:
            InputError: it is of another type, not among the choices, or outside the limits.
        """
        if self.choices and value not in self.choices:
            choices = ", ".join(repr(choice) for choice in self.choices)
            raise InputError(f"expected one of {choices}, found {value!r}.", field=self.field)
        if self.kind in (int, float):
            self._check_number(value)

    def _check_number(self, value: Any) -> None:
        whole = self.kind is int
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            wanted = "a whole number" if whole else "a number"
            raise InputError(f"expected {wanted}, found {value!r}.", field=self.field)
        if not math.isfinite(value):
            raise InputError(f"expected a finite number, found {value}.", field=self.field)
        if self.minimum is not None and value < self.minimum:
            raise InputError(f"expected at least {self.minimum:g}, found {value}.", self.field)
        if self.maximum is not None and value > self.maximum:
            raise InputError(f"expected at most {self.maximum:g}, found {value}.", self.field)


def options_of(settings: type) -> list[Option]:
    """Lists the settings of a dataclass, those of groups inside it included.

    Args:
        settings: a dataclass whose fields are declared by `option`. A field whose type is another
            such dataclass is a group.
    """
    return list(_options(settings, None, {}))


def _options(settings: type, parent: str | None, defaults: Mapping[str, Any]) -> Iterator[Option]:
    hints = typing.get_type_hints(settings)
    for field in dataclasses.fields(settings):
        kind, choices = _type_of(hints[field.name])
        default = defaults.get(field.name, field.default)
        if dataclasses.is_dataclass(kind):
            group: Any = kind
            unset = {field.name: "" for field in dataclasses.fields(group)}
            yield from _options(group, field.name, unset if default is None else vars(default))
        elif "help" in field.metadata:
            known = {key: value for key, value in field.metadata.items() if key != "name"}
            name = field.metadata["name"] or field.name
            yield Option(field.name, parent, name, kind, choices, default, **known)


def _type_of(hint: Any) -> tuple[Any, tuple[str, ...]]:
    """The plain type that a type hint stands for, and its choices."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _type_of(next(one for one in arguments if one is not type(None)))
    if origin is Literal:
        return str, arguments
    return (origin or hint), ()


def check_options(settings: Any) -> None:
    """Checks the numbers and choices of a settings object.

    Raises:
        InputError: a value is of another type, not among the choices, or outside its limits; the
            message names the field.
    """
    for option in options_of(type(settings)):
        holder = settings if option.parent is None else getattr(settings, option.parent)
        value = None if holder is None else getattr(holder, option.field)
        if value is not None:
            option.check(value)


def record_of(*settings: Any) -> dict[str, Any]:
    """Returns what a run records of settings objects: a value that JSON holds, by name.

    A setting of a group that no default of the settings mentions is "" where it has the group's own
    default, as it is where it is not given.
    """
    record = {}
    for one in settings:
        for option in options_of(type(one)):
            if not option.of_call:
                record[option.name] = _value_of(one, option)
    return record


def _value_of(settings: Any, option: Option) -> Any:
    if option.parent is None:
        value = getattr(settings, option.field)
        return list(value) if isinstance(value, tuple) else value
    group = getattr(settings, option.parent)
    if group is None:
        return option.default
    value = getattr(group, option.field)
    return "" if option.default == "" and value == getattr(type(group)(), option.field) else value


def from_record(settings: type[T], record: Mapping[str, Any], **given: Any) -> T:
    """Makes a settings object from what a run has recorded.

    Args:
        settings: its class.
        record: values by name, as `record_of` gives them; others are ignored, missing ones take
            their defaults.
        **given: fields that take another value than the record's.

    Returns:
        An object of the class.

    Raises:
        InputError: a value cannot be used.
    """
    arguments: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    for option in options_of(settings):
        value = record.get(option.name, option.default)
        value = tuple(value) if option.kind is tuple and isinstance(value, list) else value
        if option.parent is None:
            arguments[option.field] = value
        else:
            groups.setdefault(option.parent, {})[option.field] = value
    hints, defaults = typing.get_type_hints(settings), vars(settings())
    for name, values in groups.items():
        chosen = {key: value for key, value in values.items() if value != ""}
        group, default = _type_of(hints[name])[0], defaults[name]
        if default is not None:
            arguments[name] = dataclasses.replace(default, **chosen)
        else:
            arguments[name] = group(**chosen) if chosen else None
    return settings(**(arguments | given))
