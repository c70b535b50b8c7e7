"""Trains a bound task in a run folder: from its newest checkpoint, or the start, to the end."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from bert_keras.errors import InputError, Interrupted
from bert_keras.models.bert_model import BertModel
from bert_keras.training.checkpoints import Checkpoints
from bert_keras.training.devices import broadcast_from_chief, current_replica, is_chief
from bert_keras.training.early_stopping import EarlyStopping
from bert_keras.training.inference import Inference
from bert_keras.training.interruption import Interruption
from bert_keras.training.loop import Trainer
from bert_keras.training.run_folder import RunFolder
from bert_keras.training.settings import TrainingSettings
from bert_keras.training.sharing import training_execution
from bert_keras.training.skipped_rows import SkippedRows
from bert_keras.training.task import (
    ComparesExamples,
    Evaluation,
    EventWriter,
    Prepared,
    format_scores,
)

_log = logging.getLogger(__name__)
_FEW_STEPS = 50


def check_settings(prepared: Prepared, settings: TrainingSettings) -> None:
    """Checks settings against what a task has read.

    Raises:
        InputError: a setting cannot be used with this task or these rows.
    """
    task, _, evaluation_set = prepared
    if isinstance(task, ComparesExamples) and settings.micro_batches > 1:
        raise InputError(
            "expected 1, because the loss compares all examples of a step with each other, found "
            f"{settings.micro_batches}.",
            field="micro_batches",
        )
    if settings.early_stopping:
        names = task.score_names(expect_rows(evaluation_set, "early_stopping"))
        if settings.early_stopping not in names:
            raise InputError(
                f"expected one of {', '.join(names)}, found {settings.early_stopping!r}.",
                field="early_stopping",
            )


def expect_rows(examples: Any, field: str) -> Any:
    """Returns examples to evaluate on.

    Raises:
        InputError: there are none.
    """
    if examples is None:
        raise InputError("expected rows to evaluate on, found none; see `dev`.", field=field)
    return examples


class Job:
    """One training.

    Args:
        prepared: what the task has read.
        reference: the weights to start from; None for new ones.
        settings: the run's.
        eval_batch_size: examples in a batch when not training.
        folder: the run's, locked by this process.
        strategy: the `tf.distribute.Strategy` to train under.
    """

    def __init__(
        self,
        prepared: Prepared,
        reference: str | None,
        settings: TrainingSettings,
        eval_batch_size: int,
        folder: RunFolder,
        strategy: tf.distribute.Strategy,
    ):
        self._prepared, self._reference = prepared, reference
        self._settings, self._eval_batch_size = settings, eval_batch_size
        self._folder, self._strategy = folder, strategy

    def train(
        self,
        record: dict[str, Any],
        open_writer: Callable[[], contextlib.AbstractContextManager[EventWriter]],
    ) -> Evaluation | None:
        """Trains to the end, and leaves the model for use in the folder.

        Args:
            record: the run's settings by recorded name, for the folder.
            open_writer: opens the writer of the run's events, once the folder exists.

        Returns:
            The evaluation of the model in the folder; None if this call has not evaluated it.

        Raises:
            InputError: something cannot be used. No file has been touched then. Or loss and
                gradients were not finite too often.
            Interrupted: the process received a signal to stop. The state of the training is saved.
        """
        settings, folder = self._settings, self._folder
        model, make_float32_view = self._build()
        task, training_set, _ = self._prepared
        trainer = Trainer(model, task, training_set, settings, self._strategy)
        is_new = not folder.exists
        if is_new:  # before the folder is made
            trainer.check_memory()
        folder.begin(record, training_set.fingerprint)
        stopping = EarlyStopping(settings.early_stopping, settings.patience)
        checkpoints = folder.checkpoints(
            settings.keep_checkpoints,
            {"devices": self._strategy.num_replicas_in_sync, "recent": trainer.recent},
            training=trainer.variables,
            stopping=stopping.variables,
        )
        self._resume(checkpoints, trainer)
        if not is_new:
            trainer.check_memory()
        with Interruption() as interruption, open_writer() as writer:
            make_inference = functools.partial(
                self._make_inference, make_float32_view, interruption
            )
            try:
                kept = self._run(
                    trainer, model, make_inference, stopping, checkpoints, writer, interruption
                )
            except Interrupted:
                checkpoints.save(trainer.step)
                raise Interrupted(
                    f"Stopped at step {trainer.step} of {trainer.total_steps}; everything is "
                    "saved, and the same call or command continues from there."
                ) from None
            finally:
                checkpoints.flush()
        folder.finish()
        broadcast_from_chief(self._strategy, 0)  # no worker ends before the chief has ended well
        return kept

    def _build(self) -> tuple[BertModel, Callable[[], BertModel]]:
        """Builds the model to train, and a function that makes its float32 view."""
        settings, strategy = self._settings, self._strategy
        # Not earlier: preparing a corpus draws random numbers, too; opening a prepared one none.
        keras.utils.set_random_seed(settings.seed)
        with strategy.scope():
            model, make_float32_view = _with_float32_view(
                lambda: self._prepared.task.build_model(self._reference, settings.dtype)
            )
        several = strategy.num_replicas_in_sync > 1
        model.execution = training_execution(
            model,
            recompute=settings.recompute,
            xla=settings.xla,
            replica=(lambda: current_replica(strategy)[0]) if several else None,
        )
        return model, make_float32_view

    def _make_inference(
        self, make_float32_view: Callable[[], BertModel], interruption: Interruption
    ) -> Inference:
        with self._strategy.scope():
            view = make_float32_view()
        return Inference(
            view,
            self._prepared.task.predictions,
            self._eval_batch_size,
            self._strategy,
            interruption,
        )

    def _run(
        self,
        trainer: Trainer,
        model: BertModel,
        make_inference: Callable[[], Inference],
        stopping: EarlyStopping,
        checkpoints: Checkpoints,
        writer: EventWriter,
        interruption: Interruption,
    ) -> Evaluation | None:
        """Runs the loop; returns the evaluation of the model that was kept last, if any."""
        settings, folder = self._settings, self._folder
        task, training_set, examples = self._prepared
        # Made when first needed, so that the first step does not wait for it.
        inference = functools.cache(make_inference)
        kept: Evaluation | None = None

        def on_evaluate(step: int) -> bool:
            nonlocal kept
            evaluation, scores = None, {}
            if examples:
                evaluation = task.evaluate(examples, inference()(examples, "evaluating"))
                scores = evaluation.scores
                writer.evaluation(step, evaluation)
                _log.info("step %d: %s", step, format_scores(scores))
            better = stopping.is_better(scores)
            if better and (settings.early_stopping or step == trainer.total_steps):
                if folder.writes:
                    (task.tuned(evaluation) if evaluation else task).save(model, folder.path)
                folder.keep_scores(step, scores)
                kept = evaluation
            return stopping.is_over

        to_draw = [model] if folder.writes else []  # drawn after the first step: it takes a trace

        def on_scalars(step: int, scalars: dict[str, float]) -> None:
            writer.training(step, scalars)
            while to_draw:
                _draw(to_draw.pop(), writer)

        skipped = SkippedRows(
            training_set.describe, folder.path / "skipped_rows.jsonl", folder.writes
        )
        if not stopping.is_over:
            trainer.run(
                on_scalars,
                on_evaluate,
                checkpoints.save,
                skipped.record,
                settings.save_every,
                interruption,
            )
        return kept

    def _resume(self, checkpoints: Checkpoints, trainer: Trainer) -> None:
        """Restores the newest checkpoint, in all workers the one that the chief finds."""
        strategy = self._strategy
        newest = checkpoints.restore() if is_chief(strategy) else None
        agreed = broadcast_from_chief(strategy, -1 if newest is None else newest)
        if not is_chief(strategy) and agreed >= 0:
            checkpoints.restore(agreed)
        if trainer.total_steps < _FEW_STEPS:
            _log.info(
                "%d steps are few: smaller batches (`batch_size`) or more passes (`epochs`) may "
                "learn more.",
                trainer.total_steps,
            )
        if agreed >= 0:
            trainer.recent[:] = checkpoints.restored_notes.get("recent", [])
            _log.info("Continuing at step %d of %d.", trainer.step, trainer.total_steps)
            before, now = checkpoints.restored_notes["devices"], strategy.num_replicas_in_sync
            if before != now:
                _log.info(
                    "The number of devices is %d and was %d: batches and schedule are the same; "
                    "sums are taken in another order and dropout draws other masks, so from here "
                    "on the numbers differ a little from those of a run on %d.",
                    now,
                    before,
                    before,
                )


def _draw(model: BertModel, writer: EventWriter) -> None:
    """Writes the graph of a model's predictions."""
    writer.graph(
        lambda inputs: model(inputs, training=False),
        {name: tf.TensorSpec([None, None], tf.int32, name) for name in model.input},
    )


def _with_float32_view(
    build: Callable[[], BertModel],
) -> tuple[BertModel, Callable[[], BertModel]]:
    """Builds a model, and a function that makes its float32 view: a model on the same variables.

    The view of a float32 model is the model itself.
    """
    created: list[tf.Variable] = []

    def create_and_note(create: Callable[..., tf.Variable], **arguments: Any) -> tf.Variable:
        created.append(create(**arguments))
        return created[-1]

    with tf.variable_creator_scope(create_and_note):
        model = build()

    def make_view() -> BertModel:
        if model.dtype_policy.compute_dtype == "float32":
            return model
        kept = {id(variable.value) for variable in model.variables}
        variables = iter([variable for variable in created if id(variable) in kept])
        with tf.variable_creator_scope(lambda create, **arguments: next(variables)):
            return type(model).from_config(model.get_config() | {"dtype": "float32"})

    return model, make_view
