"""What every script does: it shows help that fits a screen, and an error as a sentence."""

import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence

import absl.logging
from absl import app, flags

from bert_keras.cli.flags import FlagFormatter, Flags
from bert_keras.errors import InputError, Interrupted, WorkerLost
from bert_keras.quiet import hidden, stderr_to_nowhere

_TRY_AGAIN = 75  # sysexits.h's EX_TEMPFAIL
# New objects after which Python looks for cycles. Importing and tracing make millions that stay;
# looking through them again and again would be a fifth of what a start costs.
_OBJECTS_BETWEEN_COLLECTIONS = 100_000
_HELP = ("--help", "-help", "-h", "--helpfull", "--helpshort")


def run(
    main: Callable[[Flags], None],
    script_flags: Flags,
    description: str,
    argv: Sequence[str] | None = None,
) -> None:
    """Runs a script: parses the flags, shows help that fits a screen, and errors as a sentence.

    Args:
        main: a function of the flags, once they are parsed.
        script_flags: the flags that it takes, apart from --debug.
        description: the text that the help begins with.
        argv: the command line, the script's name first; the process's unless given.
    """
    script_flags.define("debug", bool, False, "Show the stack trace of an error.")

    def parse(arguments: list[str]) -> list[str]:
        flags.FLAGS.mark_as_parsed()  # which absl wants; these are read instead
        if any(argument in _HELP for argument in arguments[1:]):
            print(f"{description.strip()}\n\n{script_flags.help()}")
            sys.exit(0)
        try:
            return script_flags.parse(arguments)
        except flags.Error as error:
            sys.exit(f"{error}")

    def guarded(arguments: list[str]) -> None:
        _log_to_stderr(script_flags)
        gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
        try:
            if arguments[1:]:
                raise InputError(f"Expected flags alone, found {arguments[1]!r}; see --help.")
            main(script_flags)
        except KeyboardInterrupt:  # where nothing was at work that could be continued
            sys.exit(128 + signal.SIGINT)
        except Interrupted as error:
            print(script_flags.sentence(error), file=sys.stderr)
            sys.exit(128 + signal.SIGTERM)
        except WorkerLost as error:
            print(error, file=sys.stderr, flush=True)
            sys.stdout.flush()
            os._exit(_TRY_AGAIN)  # an orderly end would wait for the other workers
        except (InputError, OSError) as error:  # such as no room, or no permission to write
            if script_flags["debug"]:
                raise
            sys.exit(script_flags.sentence(error))

    app.run(guarded, argv=list(sys.argv if argv is None else argv), flags_parser=parse)


def _log_to_stderr(script_flags: Flags) -> None:
    """Shows what the library logs, and nothing of what TensorFlow and its companions remark."""
    handler = logging.StreamHandler()
    handler.setFormatter(FlagFormatter(script_flags))
    logger = logging.getLogger("bert_keras")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    if not script_flags["debug"]:
        absl.logging.set_verbosity(absl.logging.ERROR)


def start_tensorflow_quietly(debug: bool = False) -> None:
    """Keeps from the user what TensorFlow says on starting: that there is no GPU, for instance.

    It does so in C++, before any setting of its own takes effect.

    Args:
        debug: whether to let it.
    """
    if debug:
        return
    # Of workers one that is gone is reported in a sentence, and not by each thread that misses it.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if "TF_CONFIG" in os.environ else "2")
    with stderr_to_nowhere(), hidden("matplotlib", "pandas", "scipy", "sklearn"):
        import tensorflow as tf

        tf.config.list_physical_devices()
