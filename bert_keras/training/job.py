"""One task, one run folder: train, evaluate, predict, export, in any combination."""

import contextlib
import dataclasses
import functools
import json
import logging

import keras
import tensorflow as tf

from bert_keras.cli.console import format_scores, format_table
from bert_keras.errors import InputError, Interrupted
from bert_keras.files import atomic_write, resolve
from bert_keras.serving.export import export
from bert_keras.serving.freezing import freeze
from bert_keras.serving.litert import export_litert
from bert_keras.tensorboard.writer import NoWriter, RunWriter
from bert_keras.training.devices import broadcast_from_chief, current_replica, is_chief
from bert_keras.training.early_stopping import EarlyStopping
from bert_keras.training.inference import Inference
from bert_keras.training.interruption import Interruption
from bert_keras.training.loop import Schedule, Trainer
from bert_keras.training.sharing import share_blocks
from bert_keras.training.skipped_rows import SkippedRows

_log = logging.getLogger(__name__)
_FEW_STEPS = 50


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a job is done.

    Attributes:
        init_checkpoint: the folder of the weights to start from, or None.
        schedule: a `bert_keras.training.loop.Schedule`.
        dtype: the Keras dtype policy to train in. Evaluation, prediction and export are always in
            float32, so that all three give the same numbers.
        early_stopping: the score to stop on, "" for none.
        patience: evaluations without a better score after which to stop; 0 never stops, and keeps
            the best weights all the same.
        eval_batch_size: examples in a batch when not training.
        save_every: steps after which a checkpoint is saved, beside those at evaluations, which
            are left out where they would cost more than 2% of the time.
        kept_checkpoints: how many of the newest checkpoints are kept.
        recompute: whether blocks are computed again in the backward pass, which takes less memory.
        xla: whether to compile the blocks with XLA, anew for every number of rows.
    """

    init_checkpoint: str | None
    schedule: Schedule
    dtype: str = "float32"
    early_stopping: str = ""
    patience: int = 3
    eval_batch_size: int = 256
    save_every: int = 1000
    kept_checkpoints: int = 2
    recompute: bool = False
    xla: bool = False


class Job:
    """Does what is asked for with one task in one run folder.

    Args:
        task: a `bert_keras.training.task.Task`.
        settings: `Settings`.
        folder: a `bert_keras.training.run_folder.RunFolder`.
        strategy: the `tf.distribute.Strategy` to train under, that of one device unless given.
    """

    def __init__(self, task, settings, folder, strategy=None):
        self._task = task
        self._settings = settings
        self._folder = folder
        self._strategy = strategy or tf.distribute.get_strategy()
        self._inference = self._place = None
        self._to_evaluate = self._to_predict = None  # examples, once read
        self._evaluation = None  # that of the model in the folder, once known

    def train(self, flags, hyperparameters, evaluates=False, predicts=False):
        """Trains from where the folder stands, to the end, and leaves the model for use in it.

        Args:
            flags: what the run is begun with, by name; kept in the folder.
            hyperparameters: those of them by which runs are compared in TensorBoard.
            evaluates: whether `evaluate` will follow, so that rows for it are looked for now.
            predicts: whether `predict` will follow.

        Raises:
            InputError: something cannot be used. No file has been touched then. Or loss and
                gradients were not finite too often.
            Interrupted: the process was told to stop. Where the training stood is saved.
        """
        if self._folder.finished:
            _log.info("%s: training has ended already.", self._folder.path)
            return
        settings, strategy = self._settings, self._strategy
        training_set, dev = self._read(evaluates, predicts)
        # Not before: preparing a corpus draws, too, and finding it prepared does not.
        keras.utils.set_random_seed(settings.schedule.seed)
        with strategy.scope():
            model, make_twin = _with_twin(
                lambda: self._task.build_model(settings.init_checkpoint, settings.dtype)
            )
        if strategy.num_replicas_in_sync > 1:
            model.tell_replicas_apart(lambda: current_replica(strategy)[0])
        model.recompute = settings.recompute
        share_blocks(model, settings.xla)
        trainer = Trainer(model, self._task, training_set, settings.schedule, strategy)

        is_new = not self._folder.exists
        if is_new:  # before there is one
            trainer.check_memory()
        self._folder.begin(flags, training_set.fingerprint)
        stopping = EarlyStopping(settings.early_stopping, settings.patience)
        checkpoints = self._folder.checkpoints(
            settings.kept_checkpoints,
            {"devices": strategy.num_replicas_in_sync, "recent": trainer.recent},
            training=trainer.variables,
            stopping=stopping.variables,
        )
        self._go_on(checkpoints, trainer)
        if not is_new:
            trainer.check_memory()
        with Interruption() as interruption, self._writer(hyperparameters) as writer:

            @functools.cache  # made when first needed, which the first step need not wait for
            def inference():
                with strategy.scope():
                    twin = make_twin()
                return Inference(
                    twin, self._task.answers, settings.eval_batch_size, strategy, interruption
                )

            def on_evaluate(step):
                evaluation = dev and self._task.evaluate(inference()(dev, "evaluating"))
                scores = evaluation.scores if dev else {}
                if dev:
                    writer.evaluation(step, evaluation)
                    _log.info("step %d: %s", step, format_scores(scores))
                better = stopping.is_better(scores)
                if better and (settings.early_stopping or step == trainer.total_steps):
                    if self._folder.writes:
                        self._task.save(model, self._folder.path)
                    self._folder.keep_scores(step, scores)
                    self._evaluation = evaluation
                return stopping.is_over

            # The graph is traced anew for it: that can wait, too.
            to_draw = [model] if self._folder.writes else []

            def on_scalars(step, scalars):
                writer.training(step, scalars)
                while to_draw:
                    _draw(to_draw.pop(), writer)

            skipped = SkippedRows(
                self._task, self._folder.path / "skipped_rows.jsonl", self._folder.writes
            )
            try:
                if not stopping.is_over:
                    trainer.run(
                        on_scalars,
                        on_evaluate,
                        checkpoints.save,
                        skipped.record,
                        settings.save_every,
                        interruption,
                    )
            except Interrupted:
                checkpoints.save(trainer.step)
                raise Interrupted(
                    f"Told to stop at step {trainer.step} of {trainer.total_steps}; all is saved, "
                    "and the same command goes on from there."
                ) from None
            finally:
                checkpoints.flush()
        self._folder.finish()
        broadcast_from_chief(strategy, 0)  # none leaves before the chief has ended well

    def _read(self, evaluates, predicts):
        """Reads what to train and to evaluate on, and checks it against what is asked for."""
        settings, task = self._settings, self._task
        task.prepare(settings.init_checkpoint)
        training_set = task.training_set()
        if task.compares and settings.schedule.parts > 1:
            raise InputError(
                "--gradient_accumulation_steps: expected 1, for the loss compares all examples of "
                f"a step with each other, found {settings.schedule.parts}."
            )
        dev = task.evaluation_set()
        if evaluates:
            _expect_rows(dev, "--do_eval")
        if settings.early_stopping:
            _expect_rows(dev, "--early_stopping")
            if settings.early_stopping not in task.score_names:
                raise InputError(
                    f"--early_stopping: expected one of {', '.join(task.score_names)}, found "
                    f"{settings.early_stopping!r}."
                )
        if predicts:
            self._to_predict = task.prediction_set()
        return training_set, dev

    def _go_on(self, checkpoints, trainer):
        """Takes up the newest checkpoint, in all workers the one that the chief finds."""
        strategy = self._strategy
        found = checkpoints.restore() if is_chief(strategy) else None
        agreed = broadcast_from_chief(strategy, -1 if found is None else found)
        if not is_chief(strategy) and agreed >= 0:
            checkpoints.restore(agreed)
        if trainer.total_steps < _FEW_STEPS:
            _log.info(
                "%d steps are few: smaller batches (--train_batch_size) or more passes "
                "(--num_train_epochs) may learn more.",
                trainer.total_steps,
            )
        if agreed >= 0:
            trainer.recent[:] = checkpoints.restored_notes.get("recent", [])
            _log.info("Going on at step %d of %d.", trainer.step, trainer.total_steps)
            before, now = checkpoints.restored_notes["devices"], strategy.num_replicas_in_sync
            if before != now:
                _log.info(
                    "The number of devices is %d and was %d: batches and schedule are the same; "
                    "sums are taken in another order and dropout draws anew, so from here on the "
                    "numbers differ a little from those of a run on %d.",
                    now,
                    before,
                    before,
                )

    @contextlib.contextmanager
    def _writer(self, hyperparameters):
        """The run's events, where this process writes them."""
        if not self._folder.writes:
            yield NoWriter()
            return
        writer = RunWriter(self._folder.path)
        writer.hyperparameters(hyperparameters)
        yield writer
        writer.close()

    def take_weights(self, flags, evaluates=False, predicts=False):
        """Makes ready to answer with the folder's model or, where it has none, `init_checkpoint`'s.

        In a new folder this begins a run, so that later calls know what it answers with.

        Args:
            flags: what a new run is begun with, by name.
            evaluates: whether `evaluate` will follow, so that its rows are looked for now.
            predicts: whether `predict` will follow.

        Raises:
            InputError: there are no weights to answer with, or something cannot be used. No file
                has been touched then.
        """
        self._ready()
        if evaluates:
            self._to_evaluate = self._task.evaluation_set()
            _expect_rows(self._to_evaluate, "--do_eval")
        if predicts:
            self._to_predict = self._task.prediction_set()
        if not self._folder.exists:
            self._folder.begin(flags)

    def evaluate(self):
        """Prints the scores of the folder's model and writes them to `eval_results.json`."""
        if self._evaluation is None:
            inference, dev = self._ready(), self._to_evaluate
            if dev is None:
                dev = self._task.evaluation_set()
            _expect_rows(dev, "--do_eval")
            self._evaluation = self._task.evaluate(inference(dev, "evaluating"))
        scores = self._evaluation.scores
        with atomic_write(self._folder.path / "eval_results.json") as file:
            json.dump(scores, file, indent=2)
            file.write("\n")
        for title, table in self._evaluation.tables.items():
            print(f"\n{title}\n{format_table(table)}")
        print("\n" + format_scores(scores))

    def predict(self):
        """Writes the answers to the rows to predict."""
        inference = self._ready()
        examples = self._task.prediction_set() if self._to_predict is None else self._to_predict
        path = self._task.write_predictions(inference(examples, "predicting"), self._folder.path)
        print(f"Predictions: {path}")

    def export(self, form="saved_model", precision="float32"):
        """Writes a new version of the model for use elsewhere.

        Args:
            form: "saved_model" or "litert".
            precision: "float32"; "bfloat16" for a SavedModel that computes in it, and answers in
                float32 all the same; "int8" for LiteRT.
        """
        model = self._ready().model
        if form == "litert":
            model = self._task.build_model(self._place, "float32")  # `export_litert` changes it
            folder = self._folder.path / "export_litert"
            path = export_litert(model, self._task, folder, precision == "int8")
            print(f"LiteRT: {path}")
            return
        if precision == "bfloat16":
            model = self._task.build_model(self._place, "mixed_bfloat16")
        model = freeze(model)
        path = export(
            self._task.signatures(model),
            self._task.tokenizer,
            self._folder.path / "export",
            self._task.functions(model),
        )
        print(f"SavedModel: {path}")

    def _ready(self):
        """The model to answer with."""
        if self._inference is None:
            self._place = self._take_up()
            model = self._task.build_model(self._place, "float32")
            self._inference = Inference(model, self._task.answers, self._settings.eval_batch_size)
        return self._inference

    def _take_up(self):
        """Finds the weights to answer with: the run's own, once it has a trained model."""
        path, reference = self._folder.path, self._settings.init_checkpoint
        if (path / "model.safetensors").is_file():
            self._task.restore(path)
            return path
        trains = (path / "checkpoints").is_dir()
        if trains or not (reference and self._task.answers_untrained):
            raise InputError(f"{path}: holds no trained model yet; train it with --do_train.")
        try:
            place = resolve(reference)
        except InputError as error:
            raise InputError(f"--init_checkpoint: {error}") from None
        _log.info("Not trained here: these are the weights of %s as they are.", reference)
        self._task.adopt(place)
        return place


def _draw(model, writer):
    """Writes a model's graph, as it answers."""
    writer.graph(
        lambda inputs: model(inputs, training=False),
        {name: tf.TensorSpec([None, None], tf.int32, name) for name in model.input},
    )


def _with_twin(build):
    """Builds a model, and a function that makes its float32 twin on the very same variables.

    The twin of a model that is in float32 is the model itself.
    """
    created = []

    def keep(create, **how):
        created.append(create(**how))
        return created[-1]

    with tf.variable_creator_scope(keep):
        model = build()

    def make_twin():
        if model.dtype_policy.compute_dtype == "float32":
            return model
        kept = {id(variable.value) for variable in model.variables}
        there = iter([variable for variable in created if id(variable) in kept])
        with tf.variable_creator_scope(lambda create, **how: next(there)):
            return type(model).from_config(model.get_config() | {"dtype": "float32"})

    return model, make_twin


def _expect_rows(examples, flag):
    if examples is None:
        raise InputError(f"{flag}: expected rows to evaluate on, found none; see --dev_file.")
