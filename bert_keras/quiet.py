"""Keeping from the user what libraries say past Python: in C++, and in processes of their own."""

import contextlib
import os
import sys


@contextlib.contextmanager
def stderr_to_nowhere():
    """Drops what this process and those that it starts write on standard error meanwhile."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
