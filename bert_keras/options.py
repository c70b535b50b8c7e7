"""Settings that are declared once: a dataclass field, from which flags, help and records are made.

A field says its default, its help text and the name under which a run records it. That name is part
of a run folder's format, so it stays when the Python name changes. `bert_keras.cli` makes the flag
of the same name.
"""

import dataclasses
import math
import numbers
import os
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
        kind: str, int, float, bool or tuple, the type of a value; a tuple is of strings.
        optional: whether it may be None.
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
    optional: bool
    choices: tuple[str, ...]
    default: Any
    help: str
    minimum: float | None
    maximum: float | None
    of_call: bool
    of_model: bool

    def check(self, value: Any) -> Any:
        """Checks a value.

        Args:
            value: what was given. A path stands for its name, a list of names for a tuple, and a
                NumPy number for Python's.

        Returns:
            The value as it is kept, of the option's kind.

        Raises:
            InputError: it is of another type, not among the choices, or outside the limits.
        """
        if value is None and self.optional:
            return None
        value = _converted(value, self.kind)
        if self.choices and value not in self.choices:
            choices = ", ".join(repr(choice) for choice in self.choices)
            raise InputError(f"expected one of {choices}, found {value!r}.", field=self.field)
        names = self.kind is not tuple or all(isinstance(name, str) for name in value)
        if type(value) is not self.kind or not names:
            raise InputError(f"expected {_KINDS[self.kind]}, found {value!r}.", field=self.field)
        if self.kind in (int, float):
            self._check_limits(value)
        return value

    def _check_limits(self, value: Any) -> None:
        if not math.isfinite(value):
            raise InputError(f"expected a finite number, found {value}.", field=self.field)
        if self.minimum is not None and value < self.minimum:
            raise InputError(f"expected at least {self.minimum:g}, found {value}.", self.field)
        if self.maximum is not None and value > self.maximum:
            raise InputError(f"expected at most {self.maximum:g}, found {value}.", self.field)


_KINDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    tuple: "a list of names",
}


def _converted(value: Any, kind: type) -> Any:
    """A value in the type that is kept, if it says the same; else the value as it is."""
    if kind is str and isinstance(value, str | os.PathLike):
        return str(value)
    if kind is tuple and isinstance(value, list | tuple):
        return tuple(_converted(one, str) for one in value)
    if kind is int and isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return int(value)
    if kind is float and isinstance(value, numbers.Real) and not isinstance(value, bool):
        return float(value)
    return value


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
        kind, optional, choices = _type_of(hints[field.name])
        default = defaults.get(field.name, field.default)
        if dataclasses.is_dataclass(kind):
            group: Any = kind
            unset = {field.name: "" for field in dataclasses.fields(group)}
            yield from _options(group, field.name, unset if default is None else vars(default))
        elif "help" in field.metadata:
            known = {key: value for key, value in field.metadata.items() if key != "name"}
            name = field.metadata["name"] or field.name
            yield Option(field.name, parent, name, kind, optional, choices, default, **known)


def _type_of(hint: Any) -> tuple[Any, bool, tuple[str, ...]]:
    """The plain type that a type hint stands for, whether None may be given, and its choices."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        kind, _, choices = _type_of(next(one for one in arguments if one is not type(None)))
        return kind, True, choices
    if origin is Literal:
        return str, False, arguments
    return (origin or hint), False, ()


def check_options(settings: Any) -> None:
    """Checks the values of a settings object that is being made, and keeps each in its own type.

    Raises:
        InputError: a value is of another type, not among the choices, or outside its limits; the
            message names the field.
    """
    hints = typing.get_type_hints(type(settings))
    for option in options_of(type(settings)):
        holder = settings
        if option.parent is not None:
            holder = getattr(settings, option.parent)
            group, optional, _ = _type_of(hints[option.parent])
            if holder is None and optional:
                continue
            if not isinstance(holder, group):
                raise InputError(f"expected {group.__name__}, found {holder!r}.", option.parent)
        # The object may be frozen: it is not complete before its values are checked.
        object.__setattr__(holder, option.field, option.check(getattr(holder, option.field)))


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
