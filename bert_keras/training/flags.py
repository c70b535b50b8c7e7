"""The flags that every task's script has, declared once, and what a script does with them."""

import logging
import os
import sys

import absl.logging
from absl import app, flags

from bert_keras.errors import InputError
from bert_keras.files import resolve

FLAGS = flags.FLAGS
_HOME = "bert_keras.training.flags"

# What one call does with a run, rather than what the run is.
_OF_ONE_CALL = {
    "output_dir",
    "do_train",
    "do_eval",
    "do_predict",
    "do_export",
    "predict_file",
    "eval_batch_size",
    "debug",
}
_HYPERPARAMETERS = (
    "init_checkpoint",
    "max_seq_length",
    "train_batch_size",
    "learning_rate",
    "num_train_epochs",
    "warmup_proportion",
    "mixed_bfloat16",
    "seed",
)

flags.DEFINE_string("output_dir", None, "The run's folder: all that the run makes is here.")
flags.DEFINE_bool("do_train", False, "Train, or go on with a training that was cut off.")
flags.DEFINE_bool("do_eval", False, "Print the scores and write eval_results.json.")
flags.DEFINE_bool("do_predict", False, "Write the rows to predict with their answers.")
flags.DEFINE_bool("do_export", False, "Write a SavedModel into export/<number>.")
flags.DEFINE_string("init_checkpoint", None, "Folder of weights to start from, or pkg://name/path.")
flags.DEFINE_integer("max_seq_length", 128, "Tokens a text may have; longer ones are cut.", 3)
flags.DEFINE_integer("train_batch_size", 32, "Examples a step.", 1)
flags.DEFINE_integer("eval_batch_size", 256, "Examples a step when not training.", 1)
flags.DEFINE_float("learning_rate", 1e-4, "The highest, at the end of the warm-up.", 0.0)
flags.DEFINE_float("num_train_epochs", 3.0, "Passes over the training rows.", 0.0)
flags.DEFINE_float("warmup_proportion", 0.1, "Share of steps in which the rate rises.", 0.0, 1.0)
flags.DEFINE_float("evaluations_per_epoch", 1.0, "How often; 0.5 is after every second epoch.", 0.0)
flags.DEFINE_string("early_stopping", "", "Score to stop on and to keep the best weights by.")
flags.DEFINE_integer("patience", 3, "Evaluations without a better score before stopping.", 1)
flags.DEFINE_bool("mixed_bfloat16", False, "Train in bfloat16: faster where the chip has it.")
flags.DEFINE_integer("seed", 0, "Of all that is random: the same seed, the same run.", 0)
flags.DEFINE_bool("debug", False, "Show the stack trace of an error.")


def open_run():
    """Opens the run's folder and takes up the flags that it was begun with.

    A flag that is not on the command line has the value that the run was begun with. One that is,
    and differs, is an error for training and holds for this call alone otherwise.

    Returns:
        (`RunFolder`, dict of the run's flags by name).

    Raises:
        InputError: nothing to do was asked for, a needed flag is missing, or flags differ.
    """
    if not (FLAGS.do_train or FLAGS.do_eval or FLAGS.do_predict or FLAGS.do_export):
        raise InputError("Expected --do_train, --do_eval, --do_predict or --do_export; see --help.")
    if not FLAGS.output_dir:
        raise InputError("Expected --output_dir, the run's folder.")
    if not FLAGS.debug:
        _start_tensorflow_quietly()
    from bert_keras.training.run_folder import RunFolder

    folder = RunFolder(FLAGS.output_dir)
    if not folder.exists and not FLAGS.do_train:
        raise InputError(f"--output_dir: {folder.path} holds no run; begin one with --do_train.")
    differences = []
    for name, value in folder.flags.items():
        if name not in FLAGS:
            continue
        if not FLAGS[name].present:
            FLAGS[name].value = value
        elif FLAGS[name].value != value:
            differences.append(f"--{name} was {value!r} and is {FLAGS[name].value!r}")
    if differences and FLAGS.do_train:
        raise InputError(
            f"{folder.path} was begun with other flags ({'; '.join(differences)}): take those, or "
            "name a new --output_dir."
        )
    if FLAGS.do_train:
        if not FLAGS.init_checkpoint:
            raise InputError("Expected --init_checkpoint, a folder of weights to start from.")
        try:
            resolve(FLAGS.init_checkpoint)
        except InputError as error:
            raise InputError(f"--init_checkpoint: {error}") from None
    return folder, {name: FLAGS[name].value for name in _declared() if name not in _OF_ONE_CALL}


def run_job(task, folder, run_flags):
    """Does with a task what the flags ask for."""
    from bert_keras.training.job import Job, Settings
    from bert_keras.training.loop import Schedule

    settings = Settings(
        init_checkpoint=FLAGS.init_checkpoint,
        schedule=Schedule(
            learning_rate=FLAGS.learning_rate,
            epochs=FLAGS.num_train_epochs,
            batch_size=FLAGS.train_batch_size,
            warmup_proportion=FLAGS.warmup_proportion,
            evaluations_per_epoch=FLAGS.evaluations_per_epoch,
            seed=FLAGS.seed,
        ),
        dtype="mixed_bfloat16" if FLAGS.mixed_bfloat16 else "float32",
        early_stopping=FLAGS.early_stopping,
        patience=FLAGS.patience,
        eval_batch_size=FLAGS.eval_batch_size,
    )
    job = Job(task, settings, folder)
    if FLAGS.do_train:
        hyperparameters = {name: run_flags[name] for name in _HYPERPARAMETERS}
        job.train(run_flags, hyperparameters, FLAGS.do_eval, FLAGS.do_predict)
    if FLAGS.do_eval:
        job.evaluate()
    if FLAGS.do_predict:
        job.predict()
    if FLAGS.do_export:
        job.export()


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
        absl.logging.set_verbosity(absl.logging.WARNING)  # TensorFlow's own remarks
        try:
            if argv[1:]:
                raise InputError(f"Expected flags alone, found {argv[1]!r}; see --help.")
            main()
        except (InputError, OSError) as error:  # such as no room, or no permission to write
            if FLAGS.debug:
                raise
            sys.exit(f"{error}")

    app.run(guarded, flags_parser=parse)


def _start_tensorflow_quietly():
    """Keeps from the user what TensorFlow says on starting: that there is no GPU, for instance.

    It does so in C++, before any setting of its own takes effect.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        import tensorflow as tf

        tf.config.list_physical_devices()
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _declared():
    """The names of the script's own flags and of those above, in the order of declaration."""
    modules = FLAGS.flags_by_module_dict()
    return [flag.name for module in (sys.argv[0], _HOME) for flag in modules.get(module, [])]


def _help():
    lines = [sys.modules["__main__"].__doc__.strip(), ""]
    for name in _declared():
        flag = FLAGS[name]
        shown = (
            f"--{name}"
            if flag.boolean
            else f"--{name}={flag.default if flag.default is not None else ''}"
        )
        lines.append(f"  {shown:32} {flag.help}")
    return "\n".join(lines)
