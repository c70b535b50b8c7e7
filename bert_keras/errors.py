"""The errors that a user gets to see: their message is printed without a stack trace."""


class InputError(ValueError):
    """Something given to us cannot be used.

    The message is one sentence that names the place (file, row, flag) and says what was expected
    and what was found.
    """


class Interrupted(Exception):
    """A training was told to stop, here or in another worker, and can go on later."""


class WorkerLost(Exception):
    """Another worker of the group is gone, so this one cannot go on."""
