"""Calls a script as a person does, but in this process, where TensorFlow has started."""

import contextlib
import importlib
import io
import logging
import sys
import types

import pytest
from absl import app, flags
from absl.testing import flagsaver

from bert_keras.cli import script

FLAGS = flags.FLAGS
_own_flags = {}  # of each script: its flags, and the defaults that it changes of common ones


def load(name):
    """Imports a script, and keeps its flags aside: those of other scripts have the same names."""
    if name not in _own_flags:
        import bert_keras.cli.flags  # noqa: F401, the common ones

        before = {flag: FLAGS[flag].default for flag in FLAGS}
        module = importlib.import_module(name)
        own = [*FLAGS.flags_by_module_dict().get(name, [])]
        for flag in own:
            delattr(FLAGS, flag.name)
        changed = {
            flag: FLAGS[flag].default for flag in before if FLAGS[flag].default != before[flag]
        }
        for flag in changed:
            FLAGS.set_default(flag, before[flag])
        _own_flags[name] = module, own, changed
    return _own_flags[name][0]


def _take_up_flags(name):
    """Declares a script's own flags again; `flagsaver` does away with them."""
    _, own, changed = _own_flags.get(name, (None, [], {}))
    for flag in own:
        FLAGS[flag.name] = flag
        FLAGS.register_flag_by_module(name, flag)
    for flag, default in changed.items():
        FLAGS.set_default(flag, default)


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
    with pytest.MonkeyPatch.context() as patch, flagsaver.flagsaver():
        _take_up_flags(module.__name__)
        FLAGS.unparse_flags()
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
