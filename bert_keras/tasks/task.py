"""What a task is to the training loop, to TensorBoard and to the export."""

import abc
import dataclasses


@dataclasses.dataclass(frozen=True)
class Table:
    """A small table for people.

    Attributes:
        header: the columns' names.
        rows: lists of strings, one a column.
    """

    header: list
    rows: list


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What came out of an evaluation, in forms that can be shown without knowing the task.

    Attributes:
        scores: numbers by name, the task's own metric first.
        tables: `Table`s by title.
        images: pictures by title, each uint8 [height, width, 3].
        curves: what a precision-recall curve is drawn from, by class: (is it that class,
            bool [rows]; predicted probability of it, float [rows]).
    """

    scores: dict
    tables: dict = dataclasses.field(default_factory=dict)
    images: dict = dataclasses.field(default_factory=dict)
    curves: dict = dataclasses.field(default_factory=dict)


class Task(abc.ABC):
    """One kind of question asked of text, from its rows to its served answer.

    A run begins with `prepare` (a new one) or `restore` (one whose folder exists); after either,
    the task has its `tokenizer` and everything else that it needs to know. `Examples` below are
    `bert_keras.data.pipeline.EncodedExamples`, and "outputs" what the model answers, one row an
    example, in the examples' order.
    """

    tokenizer = None

    @abc.abstractmethod
    def prepare(self, reference):
        """Reads and checks the rows to train and evaluate on, before anything is written.

        Args:
            reference: the folder of the weights to start from, for its vocabulary.

        Raises:
            InputError: something in the rows or the vocabulary cannot be used.
        """

    @abc.abstractmethod
    def restore(self, folder):
        """Takes up what a run's folder has kept of an earlier `prepare`."""

    @abc.abstractmethod
    def build_model(self, reference, dtype):
        """Makes the model, with the weights found at `reference`.

        Args:
            reference: a folder of weights, this task's own or those of an encoder.
            dtype: a Keras dtype policy's name, such as "float32" or "mixed_bfloat16".
        """

    @abc.abstractmethod
    def save(self, model, folder):
        """Writes all that `restore` and `build_model` will want into a run's folder."""

    @abc.abstractmethod
    def training_set(self):
        """Returns (examples, targets): the targets are a dict of arrays [examples, ...]."""

    @abc.abstractmethod
    def loss(self, outputs, batch):
        """Returns (losses, weights), float32 [examples] each.

        Args:
            outputs: the model's, in the batch's order.
            batch: the targets by name, in the same order.
        """

    @abc.abstractmethod
    def evaluation_set(self):
        """Returns the examples to evaluate on, or None where there are none."""

    @property
    @abc.abstractmethod
    def score_names(self):
        """The names of the scores that `evaluate` gives, known before there are outputs."""

    @abc.abstractmethod
    def evaluate(self, outputs):
        """Scores the outputs for the evaluation set, as an `Evaluation`."""

    @abc.abstractmethod
    def prediction_set(self):
        """Returns the examples to predict."""

    @abc.abstractmethod
    def write_predictions(self, outputs, folder):
        """Writes the answers to the prediction set into the folder; returns the file's path."""

    @abc.abstractmethod
    def signatures(self, model):
        """Returns the functions to serve by name, each a `tf.function` with one signature."""
