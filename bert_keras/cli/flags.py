"""Flags made from settings classes, and arguments back from flags."""

import functools
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import flags

from bert_keras.errors import InputError
from bert_keras.options import options_of

_NAMED = re.compile(r"`(\w+)`")


class Flags:
    """The flags of one script, in the order in which they are declared."""

    def __init__(self) -> None:
        self._values = flags.FlagValues()
        self._own: list[str] = []
        self._of_field: dict[str, str] = {}  # the flag of a Python argument

    def define(
        self,
        name: str,
        kind: type,
        default: Any,
        help: str,
        *,
        choices: Sequence[str] = (),
        minimum: float | None = None,
        maximum: float | None = None,
        field: str | None = None,
    ) -> None:
        """Declares a flag.

        Args:
            name: the flag's.
            kind: str, int, float, bool or tuple (of str, with commas between).
            default: the value where the flag is not given.
            help: a line for people.
            choices: the values that a str may have; any, if empty.
            minimum: the least number allowed.
            maximum: the largest number allowed.
            field: the Python argument that it stands for; the flag's own name unless given.
        """
        declare: dict[type, Callable[..., Any]] = {
            bool: flags.DEFINE_bool,
            str: flags.DEFINE_string,
            tuple: flags.DEFINE_list,
            int: functools.partial(
                flags.DEFINE_integer,
                lower_bound=minimum,
                upper_bound=maximum,
            ),
            float: functools.partial(flags.DEFINE_float, lower_bound=minimum, upper_bound=maximum),
        }
        if choices:
            flags.DEFINE_enum(name, default, list(choices), help, flag_values=self._values)
        else:
            default = list(default) if isinstance(default, tuple) else default
            declare[kind](name, default, help=help, flag_values=self._values)
        self._own.append(name)
        self._of_field[name] = self._of_field[field or name] = name

    def define_options(self, settings: type, defaults: Mapping[str, Any] | None = None) -> None:
        """Declares a flag for each setting of a class.

        Args:
            settings: see `bert_keras.options.options_of`.
            defaults: other defaults than the class has, by flag name.
        """
        for option in options_of(settings):
            default = (defaults or {}).get(option.name, option.default)
            self.define(
                option.name,
                option.kind,
                default,
                option.help,
                choices=option.choices,
                minimum=option.minimum,
                maximum=option.maximum,
                field=option.field,
            )

    def parse(self, argv: Sequence[str]) -> list[str]:
        """Reads a command line; returns what is no flag, the script's name first.

        Raises:
            flags.Error: a flag is unknown or has a value that it cannot have.
        """
        self._values.append_flag_values(flags.FLAGS)  # absl's own, such as --verbosity
        return self._values(list(argv))

    def __getitem__(self, name: str) -> Any:
        """The value of a flag."""
        return self._values[name].value

    def given(self) -> dict[str, Any]:
        """Returns the values of the flags that are on the command line, by name."""
        return {name: self[name] for name in self._own if self._values[name].present}

    def values(self) -> dict[str, Any]:
        """Returns the values of all flags, by name."""
        return {name: self[name] for name in self._own}

    def help(self) -> str:
        """Returns a line for each flag."""
        lines = []
        for name in self._own:
            flag = self._values[name]
            default = flag.default if flag.default is not None else ""
            default = ",".join(default) if isinstance(default, list) else default
            shown = f"--{name}" if flag.boolean else f"--{name}={default}"
            lines.append(f"  {shown:32} {self.in_flags(flag.help)}")
        return "\n".join(lines)

    def in_flags(self, message: str) -> str:
        """Writes the arguments that a message names in backticks as flags."""

        def flag_of(match: re.Match[str]) -> str:
            return f"--{self._of_field[match[1]]}" if match[1] in self._of_field else match[0]

        return _NAMED.sub(flag_of, message)

    def sentence(self, error: BaseException) -> str:
        """Returns an error's message with the flags' names in place of the arguments'."""
        if isinstance(error, InputError) and error.field in self._of_field:
            return f"--{self._of_field[error.field]}: {self.in_flags(error.args[0])}"
        return self.in_flags(str(error))


class FlagFormatter(logging.Formatter):
    """Formats log lines with the flags' names in place of the arguments'.

    Args:
        script_flags: the script's.
    """

    def __init__(self, script_flags: Flags):
        super().__init__()
        self._flags = script_flags

    def format(self, record: logging.LogRecord) -> str:
        return self._flags.in_flags(super().format(record))
