"""Keeping libraries from saying things past Python, and from loading what nobody asked for."""

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


@contextlib.contextmanager
def hidden(*names):
    """Makes libraries seem not installed to what is imported meanwhile; no harm if they are loaded.

    TensorFlow brings Keras along, which loads some that are large wherever they are installed, for
    wrappers and pictures of its own.

    Args:
        *names: of top-level modules.
    """
    names = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(names))  # None: `import` takes it for missing
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
