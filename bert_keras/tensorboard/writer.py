"""Writes a run's TensorBoard events."""

from __future__ import annotations

import contextlib
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.hparams import api as hparams_api
from tensorboard.plugins.pr_curve import summary as pr_curve

from bert_keras.tensorboard.markdown import markdown_table
from bert_keras.training.task import Evaluation, EventWriter


class NoWriter(EventWriter):
    """Writes nothing: for the workers other than the one that writes the run."""

    def training(self, step: int, scalars: Mapping[str, float]) -> None:
        """See `RunWriter.training`."""

    def evaluation(self, step: int, evaluation: Evaluation) -> None:
        """See `RunWriter.evaluation`."""

    def graph(self, function: Callable[..., Any], *specs: Any) -> None:
        """See `RunWriter.graph`."""


class RunWriter(EventWriter):
    """Writes the events of a training, for any task.

    Everything written is on disk when a method returns. Steps of one kind increase. Where a run
    continues from a checkpoint, open its folder again and write from the checkpoint's step on:
    TensorBoard then drops what the interrupted process wrote after that step.

    Tags of scalars and images start with their run's name and a slash: TensorBoard makes a section
    of each such prefix and opens the first two, so that `eval` and `train` are visible at once.

    Args:
        folder: the run's folder. TensorBoard shows its subfolders `train`, `eval`, ... as runs.
            Point TensorBoard at the parent of several such folders to compare them.

    Raises:
        OSError: on writing, when the disk is full for instance.
    """

    def __init__(self, folder: str | pathlib.Path):
        self._folder = pathlib.Path(folder)
        self._writers: dict[str, tf.summary.SummaryWriter] = {}
        self._started: set[str] = set()

    def training(self, step: int, scalars: Mapping[str, float]) -> None:
        """Writes the progress of training into the run `train`.

        Args:
            step: how many updates have been made.
            scalars: numbers by name, such as `loss` and `examples_per_second`.
        """
        with self._at(step, "train"):
            for title, value in scalars.items():
                tf.summary.scalar(f"train/{title}", value)

    def evaluation(self, step: int, evaluation: Evaluation, name: str = "eval") -> None:
        """Writes an evaluation into a run of its own.

        Args:
            step: how many updates had been made to the model that was evaluated.
            evaluation: its scores, tables, images and curves.
            name: the run's name.
        """
        with self._at(step, name):
            for title, value in evaluation.scores.items():
                tf.summary.scalar(f"{name}/{title}", value)
            for title, image in evaluation.images.items():
                tf.summary.image(f"{name}/{title}", image[None])  # [1, height, width, 3]
            for title, table in evaluation.tables.items():
                tf.summary.text(f"tables/{title}", markdown_table(table))
            for title, (is_positive, probability) in evaluation.curves.items():
                curve = pr_curve.pb(
                    f"curves/{title}",
                    labels=np.asarray(is_positive, bool),
                    predictions=np.nan_to_num(np.asarray(probability, np.float32)),
                    display_name=title,
                )
                tf.summary.experimental.write_raw_pb(curve.SerializeToString())

    def graph(self, function: Callable[..., Any], *specs: Any) -> None:
        """Writes the graph of a function, which is traced and not run.

        Args:
            function: a function or `tf.function` over tensors, such as a model's call.
            *specs: its arguments, with a `tf.TensorSpec` in place of each tensor.
        """
        is_traced = hasattr(function, "get_concrete_function")
        traced: Any = function if is_traced else tf.function(function, autograph=False)
        with self._written(0, "train"):
            tf.summary.graph(traced.get_concrete_function(*specs).graph)

    def hyperparameters(self, values: Mapping[str, Any], name: str = "eval") -> None:
        """Makes the run a trial of the HParams tab, to be compared with others by its scores.

        No `hparams_config` is written: TensorBoard uses one run's for all runs it shows, and hides
        other hyperparameters of the others. Without one it shows all hyperparameters, those that
        differ first, and all scores, the latest of each.

        Args:
            values: the settings by name; each a bool, a number or a string. Others are shown as
                `str` formats them.
            name: the run of the evaluations whose scores the trial has.
        """
        plain = (bool, int, float, str, np.generic)
        shown = {k: v if isinstance(v, plain) else str(v) for k, v in values.items()}
        # The tab shows the first letters of the id. Runs with the same id would be averaged.
        folder = self._folder.resolve()
        trial = f"{folder.name} in {folder.parent}"
        with self._written(0, name):
            hparams_api.hparams(shown, trial_id=trial)

    def close(self) -> None:
        """Closes the event files."""
        for writer in self._writers.values():
            writer.close()

    @contextlib.contextmanager
    def _at(self, step: int, name: str) -> Iterator[None]:
        with self._written(step, name) as writer:
            if name not in self._started:
                # At this event TensorBoard drops what an earlier session wrote from this step on.
                # tf.summary has no public way to write it.
                mark = event_pb2.Event(step=step, wall_time=time.time())
                mark.session_log.status = event_pb2.SessionLog.START
                tf.raw_ops.ImportEvent(writer=writer._resource, event=mark.SerializeToString())
                self._started.add(name)
            yield

    @contextlib.contextmanager
    def _written(self, step: int, name: str) -> Iterator[tf.summary.SummaryWriter]:
        """Writes the summaries of the block, which are on disk when it ends."""
        folder = self._folder / name
        try:
            if name not in self._writers:
                self._writers[name] = tf.summary.create_file_writer(str(folder))
            with self._writers[name].as_default(step=step):
                yield self._writers[name]
            self._writers[name].flush()
        except tf.errors.OpError as error:  # such as a full disk
            reason = error.message.splitlines()[0].rpartition("}} ")[2]
            raise OSError(f"{folder}: could not write TensorBoard's events: {reason}") from error
