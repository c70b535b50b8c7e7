"""The errors that a user sees: their message is printed without a stack trace."""


class InputError(ValueError):
    """An input cannot be used.

    The message is one sentence that names the location (file, row) and says what was expected and
    what was found.

    Args:
        message: the sentence.
        field: the argument or setting that has the wrong value, by its name in Python. It is put
            before the message; a script puts the flag's name there.
    """

    def __init__(self, message: str, field: str | None = None):
        super().__init__(message)
        self.field = field

    def __str__(self) -> str:
        message = super().__str__()
        return f"{self.field}: {message}" if self.field else message


class Interrupted(Exception):
    """A training was stopped, here or in another worker, and can be resumed."""


class WorkerLost(Exception):
    """Another worker of the group is gone, so this one cannot continue."""
