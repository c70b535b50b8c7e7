"""Calls a script as a person does, but in this process, where TensorFlow has started."""

import contextlib
import importlib
import io
import logging
import sys
import types

import pytest


def load(name):
    """Imports a script."""
    return importlib.import_module(name)


def call(module, *arguments):
    """Runs a script's `main` in this process.

    Args:
        module: the script, as `load` gave it.
        *arguments: those of the command line.

    Returns:
        The exit code and what was written on standard output and standard error.
    """
    logger = logging.getLogger("bert_keras")
    out, err = io.StringIO(), io.StringIO()
    code = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logger, "handlers", [])
        patch.setattr(logger, "propagate", False)
        patch.setattr(logger, "level", logging.INFO)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                module.main([module.__name__, *map(str, arguments)])
            except SystemExit as end:
                code = end.code
                if isinstance(code, str):  # as Python does with it
                    print(code, file=sys.stderr)
                    code = 1
    return types.SimpleNamespace(code=code or 0, out=out.getvalue(), err=err.getvalue())
