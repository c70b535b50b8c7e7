"""Calls a script as a person does, but in this process, where TensorFlow has started."""

import contextlib
import io
import logging
import sys
import types

import pytest
from absl import app, flags
from absl.testing import flagsaver

from bert_keras import script


def call(module, *arguments):
    """Runs a script's `main` in this process.

    Returns:
        The exit code and what was written on standard output and standard error.
    """
    logger = logging.getLogger("bert_keras")
    out, err = io.StringIO(), io.StringIO()
    code = None
    with pytest.MonkeyPatch.context() as patch, flagsaver.flagsaver():
        flags.FLAGS.unparse_flags()
        patch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
        patch.setattr(app, "run", lambda main, flags_parser: main(flags_parser(sys.argv)))
        patch.setattr(logger, "handlers", [])
        patch.setattr(logger, "propagate", False)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                script.run(module.main)
            except SystemExit as end:
                code = end.code
                if isinstance(code, str):  # as Python does with it
                    print(code, file=sys.stderr)
                    code = 1
    return types.SimpleNamespace(code=code or 0, out=out.getvalue(), err=err.getvalue())
