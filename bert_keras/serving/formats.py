"""The formats that a model can be exported in, and whether a task's model can be had in one."""

from bert_keras.errors import InputError
from bert_keras.training.task import BoundTask, NumericOutputs, Serves

# The precisions that each format can have.
EXPORTS = {"saved_model": ("float32", "bfloat16"), "litert": ("float32", "int8")}


def check_format(format: str, precision: str) -> None:
    """Checks that there is a format with a precision.

    Raises:
        InputError: there is none.
    """
    if format not in EXPORTS:
        raise InputError(f"expected one of {', '.join(EXPORTS)}, found {format!r}.", field="format")
    if precision not in EXPORTS[format]:
        raise InputError(
            f"The format {format} has the precisions {' and '.join(EXPORTS[format])}, found "
            f"{precision!r}."
        )


def check_export(task: BoundTask, format: str, precision: str) -> None:
    """Checks that a task's model can be exported in a format.

    Raises:
        InputError: it cannot.
    """
    check_format(format, precision)
    if format == "litert" and not isinstance(task, NumericOutputs):
        raise InputError(
            "this task's models answer with more than numbers, which takes a saved_model, found "
            "litert.",
            field="format",
        )
    if not isinstance(task, Serves):
        raise InputError("this task's models cannot be served.", field="format")
