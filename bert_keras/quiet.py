"""Suppresses what libraries write to stderr from C++, and imports that they do not need."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def stderr_to_nowhere() -> Iterator[None]:
    """Discards what this process and its children write to file descriptor 2 within the block.

    TensorFlow's C++ code writes there directly, so redirecting `sys.stderr` does not suffice.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with open(os.devnull, "w") as devnull:
        os.dup2(devnull.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(original, 2)
        os.close(original)


@contextlib.contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Makes modules appear not installed to imports within the block.

    Importing TensorFlow imports Keras, which imports several large libraries if they are installed,
    for its own wrappers and plots. Hiding them makes the import faster.

    Args:
        *names: top-level modules. Those that are already imported stay available.
    """
    absent = [name for name in names if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # `import` takes it for missing
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
