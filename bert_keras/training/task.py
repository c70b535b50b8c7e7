"""What a task is to training, serving and TensorBoard, and the data that passes between them.

A `Task` says what to learn and from which rows: it holds settings, and nothing that has been read.
`Task.prepare` or `Task.restore` returns a `BoundTask`: the same task bound to a tokenizer and to
its labels. What only some tasks can do is a class of its own beside `BoundTask`.
"""

from __future__ import annotations

import abc
import dataclasses
import pathlib
import types
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from bert_keras.models.bert_model import BertModel
    from bert_keras.text.tokenizer import BertTokenizer
    from bert_keras.training.settings import Schedule

# What a model computes at once: `inputs`, the model's, int32 [rows, length] each; `example`, int32
# [examples], the number of each example that the rows hold, in their order; `row_targets`, where
# there are targets for each token, a dict of arrays [rows, length]; and further targets by name,
# [examples, ...].
Batch = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Table:
    """A small table for people.

    Attributes:
        header: the columns' names.
        rows: lists of strings, one a column.
    """

    header: list[str]
    rows: list[list[str]]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation, in forms that can be shown without knowing the task.

    Attributes:
        scores: numbers by name, the task's own metric first.
        tables: `Table`s by title.
        images: pictures by title, each uint8 [height, width, 3].
        curves: the data of a precision-recall curve, by class: (is it that class, bool [rows];
            predicted probability of it, float [rows]).
        chosen: settings of the model that the evaluation has chosen, such as a threshold, by name;
            see `BoundTask.tuned`.
    """

    scores: dict[str, float]
    tables: dict[str, Table] = dataclasses.field(default_factory=dict)
    images: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    curves: dict[str, tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=dict)
    chosen: dict[str, Any] = dataclasses.field(default_factory=dict)


def format_scores(scores: Mapping[str, float]) -> str:
    """Formats scores as a line of text."""
    return "  ".join(f"{name} {value:.4f}" for name, value in scores.items())


class EvaluationSet(Protocol):
    """Examples to evaluate or to predict, with everything that their scores need."""

    def __len__(self) -> int:
        """Returns the number of examples."""

    def evaluation_batches(self, batch_size: int) -> tf.data.Dataset:
        """Returns a dataset of every example once, in `Batch`es."""


class TrainingSet(Protocol):
    """Examples to train on."""

    @property
    def fingerprint(self) -> str:
        """A hash that tells this training set from others."""

    @property
    def row_length(self) -> int:
        """The most tokens that a row of the first batches may have; 0 if all have as many."""

    def __len__(self) -> int:
        """Returns the number of examples of an epoch."""

    def long_from(self, schedule: Schedule) -> int:
        """Returns the step from which rows are longer than before; 0 if there is none."""

    def batches(self, schedule: Schedule, first_step: int = 0) -> tf.data.Dataset:
        """Returns a dataset of `Batch`es without end, in an order that the schedule determines."""

    def describe(self, batch: Batch) -> list[dict[str, Any]]:
        """Describes a batch to a person: a dict that JSON holds for each example."""


class PredictionFiles(NamedTuple):
    """What `Predicts.write_predictions` has written.

    Attributes:
        path: the file with the answers.
        tables: tables to show to the user, by title.
    """

    path: pathlib.Path
    tables: Mapping[str, Table] = types.MappingProxyType({})


class Prepared(NamedTuple):
    """What `Task.prepare` has read.

    Attributes:
        task: the bound task.
        training_set: what to train on.
        evaluation_set: what to evaluate on, or None.
    """

    task: BoundTask
    training_set: TrainingSet
    evaluation_set: EvaluationSet | None


class Task(abc.ABC):
    """What to learn, and from which rows.

    Subclasses are frozen dataclasses whose fields are declared by `bert_keras.options.option`; the
    flags of scripts and the records of runs are made from them. Creating a task reads nothing.
    """

    # The name of this task in the records of runs, under "script".
    recorded_as: ClassVar[str]
    # Examples in a batch when not training, unless the settings say otherwise.
    eval_batch_size: ClassVar[int] = 256
    # Whether training must start from a checkpoint; if not, it may start from new weights.
    needs_weights: ClassVar[bool] = True
    # Recorded names of the settings to compare runs by in TensorBoard.
    hyperparameters: ClassVar[tuple[str, ...]] = ()

    @abc.abstractmethod
    def prepare(self, reference: str | None, seed: int) -> Prepared:
        """Reads and checks the rows to train and evaluate on, before anything is written.

        Args:
            reference: the folder of the weights to start from, for its vocabulary; None for new
                weights.
            seed: of the choice of rows to hold out.

        Raises:
            InputError: the rows or the vocabulary cannot be used.
        """

    @abc.abstractmethod
    def restore(self, folder: pathlib.Path) -> BoundTask:
        """Returns the task bound to the tokenizer and the labels in a run's folder.

        Raises:
            InputError: the folder holds another task's model.
        """


class AnswersUntrained(abc.ABC):
    """A `Task` whose pretrained weights can answer without any training."""

    @abc.abstractmethod
    def load_pretrained(self, folder: pathlib.Path) -> BoundTask:
        """Returns the task bound to a folder of weights that no run has trained.

        Raises:
            InputError: the weights cannot answer, for instance because they lack a head.
        """


class BoundTask(abc.ABC):
    """A task bound to a tokenizer and to its labels: it makes models, losses and scores.

    It is immutable. Whatever an evaluation or a prediction needs of its examples is in their
    `EvaluationSet`.
    """

    tokenizer: BertTokenizer
    # The names of the classes, tags, ...; a task without such sets `labels = ()`.
    labels: Sequence[str]

    @abc.abstractmethod
    def build_model(self, reference: str | pathlib.Path | None, dtype: str) -> BertModel:
        """Makes the model, with the weights at `reference`.

        Args:
            reference: a folder of weights, this task's own or those of an encoder; None for new
                ones.
            dtype: a Keras dtype policy's name, such as "float32" or "mixed_bfloat16".
        """

    def save(self, model: BertModel, folder: pathlib.Path) -> None:
        """Writes everything into a folder that `Task.restore` and `build_model` will read."""
        from bert_keras.checkpoints.huggingface import write_huggingface

        entries = self.write_extras(model, folder)
        write_huggingface(model, folder, labels=self.saved_labels, extra=entries)
        self.tokenizer.save(folder)

    @property
    def saved_labels(self) -> Sequence[str] | None:
        """The labels for `id2label` in config.json; None if the model has no classes."""
        return self.labels or None

    def write_extras(self, model: BertModel, folder: pathlib.Path) -> dict[str, Any]:
        """Writes the task's own files beside the model; returns its entries for config.json."""
        return {}

    @abc.abstractmethod
    def loss_weights(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Returns the weight of each loss of a batch, which does not depend on predictions.

        Returns:
            float32 arrays of one dimension, one for each term of the loss, by its name. The loss
            is the sum of the terms' weighted means.
        """

    @abc.abstractmethod
    def losses(self, outputs: Any, batch: Batch) -> dict[str, tf.Tensor]:
        """Returns the losses that `loss_weights` weighs, float32 arrays of the same shapes.

        Where replicas share a batch, each asks for the losses of its rows. A `ComparesExamples`
        task, whose outputs are one tensor [examples, ...], gets the outputs of all.

        Args:
            outputs: the model's.
            batch: the batch that they belong to.
        """

    def predictions(self, outputs: Any, batch: Batch) -> tf.Tensor:
        """Reduces the model's outputs for a batch to a prediction for each example, in graph ops.

        Args:
            outputs: the model's.
            batch: the batch that they belong to.

        Returns:
            A tensor [examples, ...], in the batch's order.
        """
        return outputs

    @abc.abstractmethod
    def evaluation_set(self, seed: int) -> EvaluationSet | None:
        """Reads the examples to evaluate on; returns None if the task names none.

        Args:
            seed: of the choice of rows to hold out, that of the training.
        """

    @abc.abstractmethod
    def score_names(self, examples: EvaluationSet) -> list[str]:
        """Returns the names of the scores of `evaluate`, any of which can be stopped by."""

    @abc.abstractmethod
    def evaluate(self, examples: Any, predictions: np.ndarray) -> Evaluation:
        """Scores predictions.

        Args:
            examples: what `evaluation_set` returned.
            predictions: [examples, ...], those of `predictions`, in the examples' order.
        """

    def tuned(self, evaluation: Evaluation) -> BoundTask:
        """Returns the task with the settings that an evaluation has chosen for its model."""
        return self


class Predicts(abc.ABC):
    """A `BoundTask` that predicts inputs of the user."""

    @abc.abstractmethod
    def read_examples(self, file: str) -> EvaluationSet:
        """Reads a file of inputs to predict.

        Args:
            file: in any of the task's layouts; "" for the task's own, where it has one.

        Raises:
            InputError: the file cannot be used, or there is none.
        """

    @abc.abstractmethod
    def examples_of(self, inputs: Sequence[Any]) -> EvaluationSet:
        """Makes examples of inputs in memory.

        Raises:
            InputError: an input is not of the kind that the task takes; the message names it.
        """

    @abc.abstractmethod
    def answers(self, examples: Any, predictions: np.ndarray) -> Any:
        """Returns an answer for each input, in their order, as a caller in Python gets it.

        Args:
            examples: what `read_examples` or `examples_of` returned.
            predictions: [examples, ...], see `BoundTask.predictions`.
        """

    @abc.abstractmethod
    def write_predictions(
        self, examples: Any, predictions: np.ndarray, folder: pathlib.Path
    ) -> PredictionFiles:
        """Writes the answers for a file's inputs into a folder."""


class Serves(abc.ABC):
    """A `BoundTask` that can be exported as a SavedModel that takes strings."""

    @abc.abstractmethod
    def signatures(self, model: Callable[..., Any]) -> dict[str, Any]:
        """Returns the functions to serve by name, each a `tf.function` with one signature."""

    def functions(self, model: Callable[..., Any]) -> dict[str, Any]:
        """Returns further functions for Python programs, by name.

        These may return what signatures cannot, such as ragged tensors.
        """
        return {}


class NumericOutputs(abc.ABC):
    """A `BoundTask` with purely numeric answers, for runtimes without strings."""

    @abc.abstractmethod
    def numeric_outputs(self, outputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Reduces the model's outputs to an answer, in graph ops.

        Args:
            outputs: the model's, [examples, ...].

        Returns:
            float32 and int32 tensors [examples, ...], by name.
        """


class ComparesExamples:
    """Marks a `BoundTask` whose losses compare all examples of a batch with each other.

    Such a loss cannot be computed in micro-batches.
    """


class EventWriter(Protocol):
    """Where the progress of a training is written, such as TensorBoard's events."""

    def training(self, step: int, scalars: Mapping[str, float]) -> None:
        """Writes numbers of the training itself."""

    def evaluation(self, step: int, evaluation: Evaluation) -> None:
        """Writes an evaluation."""

    def graph(self, function: Callable[..., Any], *specs: Any) -> None:
        """Writes the graph of a function.

        Args:
            function: over tensors, such as a model's call.
            *specs: its arguments, with a `tf.TensorSpec` in place of each tensor.
        """
