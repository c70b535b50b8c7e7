"""The flags that every task's script has, declared once, and what a script does with them."""

import math
import pathlib
import sys

from absl import flags

from bert_keras.cli.script import declared, start_tensorflow_quietly
from bert_keras.errors import InputError
from bert_keras.files import resolve

FLAGS = flags.FLAGS

# What one call does with a run, rather than what the run is.
_OF_ONE_CALL = {
    "output_dir",
    "do_train",
    "do_eval",
    "do_predict",
    "do_export",
    "export_format",
    "export_precision",
    "predict_file",
    "eval_batch_size",
    "save_checkpoints_steps",
    "keep_checkpoints",
    "cpu_devices",
    "debug",
}
_EXPORTS = {"saved_model": ("float32", "bfloat16"), "litert": ("float32", "int8")}
_HYPERPARAMETERS = (
    "init_checkpoint",
    "max_seq_length",
    "train_batch_size",
    "learning_rate",
    "num_train_epochs",
    "num_train_steps",
    "optimizer",
    "learning_rate_decay",
    "warmup_proportion",
    "gradient_accumulation_steps",
    "early_stopping",
    "precision",
    "seed",
)

flags.DEFINE_string("output_dir", None, "The run's folder: all that the run makes is here.")
flags.DEFINE_bool("do_train", False, "Train, or go on with a training that was cut off.")
flags.DEFINE_bool("do_eval", False, "Print the scores and write eval_results.json.")
flags.DEFINE_bool("do_predict", False, "Write the rows to predict with their answers.")
flags.DEFINE_bool("do_export", False, "Write a SavedModel into export/<number>.")
flags.DEFINE_enum("export_format", "saved_model", list(_EXPORTS), "litert: ids in, for least time.")
flags.DEFINE_enum(
    "export_precision",
    "float32",
    ["float32", "bfloat16", "int8"],
    "int8 is litert's, bfloat16 is not.",
)
flags.DEFINE_string("init_checkpoint", None, "Folder of weights to start from, or pkg://name/path.")
flags.DEFINE_integer("max_seq_length", 128, "Tokens read at once; more are cut, or windowed.", 3)
flags.DEFINE_integer("train_batch_size", 32, "Examples a step.", 1)
flags.DEFINE_integer("eval_batch_size", 256, "Examples a step when not training.", 1)
flags.DEFINE_float("learning_rate", 1e-4, "The highest, at the end of the warm-up.", 0.0)
flags.DEFINE_float("num_train_epochs", 3.0, "Passes over the training rows.", 0.0)
flags.DEFINE_float("warmup_proportion", 0.1, "Share of steps in which the rate rises.", 0.0, 1.0)
flags.DEFINE_integer(
    "num_train_steps", 0, "Steps in all, whatever the passes; 0: by the passes.", 0
)
flags.DEFINE_enum("optimizer", "adamw", ["adamw", "lamb"], "LAMB is for batches of thousands.")
flags.DEFINE_enum(
    "learning_rate_decay",
    "linear",
    ["linear", "cosine", "inverse_sqrt", "constant"],
    "How the rate falls.",
)
flags.DEFINE_integer(
    "gradient_accumulation_steps", 1, "Parts a step is computed in: less memory.", 1
)
flags.DEFINE_float("evaluations_per_epoch", 1.0, "How often; 0.5 is after every second epoch.", 0.0)
flags.DEFINE_integer("save_checkpoints_steps", 1000, "How often to save, beside evaluations.", 1)
flags.DEFINE_string("early_stopping", "", "Score to stop on and to keep the best weights by.")
flags.DEFINE_integer("keep_checkpoints", 2, "How many of the newest are kept.", 1)
flags.DEFINE_integer("patience", 3, "Evaluations without a better score before stopping; 0: on.", 0)
flags.DEFINE_enum(
    "precision",
    "float32",
    ["float32", "bfloat16", "float16"],
    "Faster where the chip has it.",
)
flags.DEFINE_bool("recompute", False, "Compute blocks twice: less memory, more time.")
flags.DEFINE_bool("xla", False, "Compile the blocks with XLA.")
flags.DEFINE_bool("deterministic", False, "To the last bit, also where that is slower.")
flags.DEFINE_integer("cpu_devices", 1, "Take the processor as so many devices.", 1)
flags.DEFINE_integer("seed", 0, "Of all that is random: the same seed, the same run.", 0)


def open_run(of_one_call=(), of_the_model=()):
    """Opens the run's folder and takes up the flags that it was begun with.

    A flag that is not on the command line has the value that the run was begun with. One that is,
    and differs, is an error for training. Otherwise it holds for this call alone, unless it says
    what the model is, which the folder's is already.

    Args:
        of_one_call: the script's own flags that say what to do with a run, not what it is.
        of_the_model: those that say what the model is.

    Returns:
        (`RunFolder`, dict of the run's flags by name, the `tf.distribute.Strategy` to run under).

    Raises:
        InputError: nothing to do was asked for, a needed flag is missing, flags differ, the run is
            another script's, or another process is at work on it.
    """
    if not (FLAGS.do_train or FLAGS.do_eval or FLAGS.do_predict or FLAGS.do_export):
        raise InputError("Expected --do_train, --do_eval, --do_predict or --do_export; see --help.")
    if not FLAGS.output_dir:
        raise InputError("Expected --output_dir, the run's folder.")
    if FLAGS.do_export and FLAGS.export_precision not in _EXPORTS[FLAGS.export_format]:
        raise InputError(
            f"--export_precision: expected {' or '.join(_EXPORTS[FLAGS.export_format])} with "
            f"--export_format={FLAGS.export_format}, found {FLAGS.export_precision}."
        )
    for name in declared():
        value = FLAGS[name].value
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"--{name}: expected a finite number, found {value}.")
    start_tensorflow_quietly()
    from bert_keras.training.devices import is_chief, open_strategy
    from bert_keras.training.run_folder import RunFolder

    strategy = open_strategy(FLAGS.cpu_devices)
    folder = RunFolder(FLAGS.output_dir, writes=is_chief(strategy))
    folder.lock()
    if not (folder.exists or FLAGS.do_train or FLAGS.init_checkpoint):
        raise _no_run(folder)
    script = pathlib.Path(sys.argv[0]).stem
    if folder.flags.get("script", script) != script:
        raise InputError(
            f"--output_dir: {folder.path} is a run of {folder.flags['script']}.py, expected one of "
            f"{script}.py, or a new folder."
        )
    differences, fixed = [], {"init_checkpoint", *of_the_model}
    for name, value in folder.flags.items():
        if name not in FLAGS:
            continue
        if not FLAGS[name].present:
            FLAGS[name].value = value
        elif FLAGS[name].value != value and (FLAGS.do_train or name in fixed):
            differences.append(f"--{name} was {value!r} and is {FLAGS[name].value!r}")
    if differences:
        raise InputError(
            f"{folder.path} was begun with other flags ({'; '.join(differences)}): take those, or "
            "name a new --output_dir."
        )
    of_the_run = [name for name in declared() if name not in _OF_ONE_CALL.union(of_one_call)]
    return folder, {"script": script} | {n: FLAGS[n].value for n in of_the_run}, strategy


def run_job(task, folder, run_flags, strategy, needs_weights=True, hyperparameters=()):
    """Does with a task what the flags ask for.

    Args:
        task: a `bert_keras.training.task.Task`.
        folder: the `RunFolder`.
        run_flags: the flags that the run is begun with, as `open_run` returned them.
        strategy: likewise.
        needs_weights: whether there must be weights to train on from.
        hyperparameters: the script's own flags by which runs are compared in TensorBoard.

    Raises:
        InputError: there are none, or something else cannot be used.
    """
    for name, can in (("do_predict", task.predicts), ("do_export", task.serves)):
        if FLAGS[name].value and not can:
            raise InputError(f"--{name}: this script's models are not for that.")
    if FLAGS.do_export and FLAGS.export_format == "litert" and not task.answers_numbers:
        raise InputError(
            "--export_format: this script's models answer with more than numbers, which takes a "
            "saved_model, found litert."
        )
    if not (folder.exists or FLAGS.do_train or task.answers_untrained):
        raise _no_run(folder)
    if FLAGS.do_train and (needs_weights or FLAGS.init_checkpoint):
        _check_weights()
    import tensorflow as tf

    from bert_keras.training.devices import worker_errors
    from bert_keras.training.job import Job, Settings
    from bert_keras.training.loop import Schedule

    if FLAGS.deterministic:
        tf.config.experimental.enable_op_determinism()

    settings = Settings(
        init_checkpoint=FLAGS.init_checkpoint,
        schedule=Schedule(
            learning_rate=FLAGS.learning_rate,
            epochs=FLAGS.num_train_epochs,
            batch_size=FLAGS.train_batch_size,
            warmup_proportion=FLAGS.warmup_proportion,
            evaluations_per_epoch=FLAGS.evaluations_per_epoch,
            seed=FLAGS.seed,
            optimizer=FLAGS.optimizer,
            decay=FLAGS.learning_rate_decay,
            max_steps=FLAGS.num_train_steps,
            parts=FLAGS.gradient_accumulation_steps,
        ),
        dtype=FLAGS.precision if FLAGS.precision == "float32" else f"mixed_{FLAGS.precision}",
        early_stopping=FLAGS.early_stopping,
        patience=FLAGS.patience,
        eval_batch_size=FLAGS.eval_batch_size,
        save_every=FLAGS.save_checkpoints_steps,
        kept_checkpoints=FLAGS.keep_checkpoints,
        recompute=FLAGS.recompute,
        xla=FLAGS.xla,
    )
    job = Job(task, settings, folder, strategy)
    if FLAGS.do_train:
        compared = {name: run_flags[name] for name in (*_HYPERPARAMETERS, *hyperparameters)}
        with worker_errors(strategy):
            job.train(run_flags, compared, FLAGS.do_eval, FLAGS.do_predict)
    if not folder.writes:
        return  # what follows is the chief's
    if not FLAGS.do_train:
        job.take_weights(run_flags, FLAGS.do_eval, FLAGS.do_predict)
    if FLAGS.do_eval:
        job.evaluate()
    if FLAGS.do_predict:
        job.predict()
    if FLAGS.do_export:
        job.export(FLAGS.export_format, FLAGS.export_precision)


def _no_run(folder):
    return InputError(f"--output_dir: {folder.path} holds no run; begin one with --do_train.")


def _check_weights():
    if not FLAGS.init_checkpoint:
        raise InputError("Expected --init_checkpoint, a folder of weights to start from.")
    try:
        resolve(FLAGS.init_checkpoint)
    except InputError as error:
        raise InputError(f"--init_checkpoint: {error}") from None
