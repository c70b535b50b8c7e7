"""What every script does: it shows help that fits a screen, and an error as a sentence."""

import gc
import logging
import os
import signal
import sys

import absl.logging
from absl import app, flags

from bert_keras.errors import InputError, Interrupted, WorkerLost
from bert_keras.quiet import hidden, stderr_to_nowhere

FLAGS = flags.FLAGS
_TRY_AGAIN = 75  # sysexits.h's EX_TEMPFAIL
# New objects after which Python looks for cycles. Importing and tracing make millions that stay;
# looking through them again and again would be a fifth of what a start costs.
_OBJECTS_BETWEEN_COLLECTIONS = 100_000
# Beside the script, who declares flags.
_OURS = ("bert_keras.cli.corpus_flags", "bert_keras.cli.flags", "bert_keras.cli.script")

flags.DEFINE_bool("debug", False, "Show the stack trace of an error.")


def run(main):
    """Runs a script: parses the flags, shows help that fits a screen, and errors as a sentence.

    Args:
        main: function without arguments.
    """

    def parse(argv):
        if any(argument in ("--help", "-help", "-h", "--helpfull") for argument in argv[1:]):
            print(_help())
            sys.exit(0)
        try:
            return FLAGS(argv)
        except flags.Error as error:
            sys.exit(f"{error}")

    def guarded(argv):
        ours = logging.getLogger("bert_keras")
        ours.addHandler(logging.StreamHandler())
        ours.setLevel(logging.INFO)
        ours.propagate = False
        if not FLAGS.debug:  # what TensorFlow and its companions remark
            absl.logging.set_verbosity(absl.logging.ERROR)
        gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
        try:
            if argv[1:]:
                raise InputError(f"Expected flags alone, found {argv[1]!r}; see --help.")
            main()
        except Interrupted as error:
            print(error, file=sys.stderr)
            sys.exit(128 + signal.SIGTERM)
        except WorkerLost as error:
            print(error, file=sys.stderr, flush=True)
            sys.stdout.flush()
            os._exit(_TRY_AGAIN)  # an orderly end would wait for the other workers
        except (InputError, OSError) as error:  # such as no room, or no permission to write
            if FLAGS.debug:
                raise
            sys.exit(f"{error}")

    app.run(guarded, flags_parser=parse)


def start_tensorflow_quietly():
    """Keeps from the user what TensorFlow says on starting: that there is no GPU, for instance.

    It does so in C++, before any setting of its own takes effect. With --debug it may.
    """
    if FLAGS.debug:
        return
    # Of workers one that is gone is told in a sentence, and not by each thread that misses it.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if "TF_CONFIG" in os.environ else "2")
    with stderr_to_nowhere(), hidden("matplotlib", "pandas", "scipy", "sklearn"):
        import tensorflow as tf

        tf.config.list_physical_devices()


def declared():
    """Returns the names of the script's own flags and of ours, in the order of declaration."""
    modules = FLAGS.flags_by_module_dict()
    return [flag.name for module in (sys.argv[0], *_OURS) for flag in modules.get(module, [])]


def _help():
    lines = [sys.modules["__main__"].__doc__.strip(), ""]
    for name in declared():
        flag = FLAGS[name]
        shown = (
            f"--{name}"
            if flag.boolean
            else f"--{name}={flag.default if flag.default is not None else ''}"
        )
        lines.append(f"  {shown:32} {flag.help}")
    return "\n".join(lines)
