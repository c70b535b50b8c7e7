"""The one error that a person who gave us bad input gets to see."""


class InputError(ValueError):
    """Something given to us cannot be used.

    The message is one sentence that names the place (file, row, flag) and says what was expected
    and what was found. Scripts print it without a stack trace.
    """
