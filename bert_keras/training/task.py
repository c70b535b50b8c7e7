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

    A run begins with `prepare` (to train), `restore` (its folder has a trained model) or `adopt`
    (to answer untrained); after any, the task has its `tokenizer` and everything else that it needs
    to know. "Answers" below are what `answers` makes of the model's outputs, one row an example, in
    the examples' order.
    """

    tokenizer = None
    labels = ()  # the names of what it tells apart, where it does
    predicts = True  # whether it has a `prediction_set` and `write_predictions`
    serves = True  # whether it has `signatures`
    answers_numbers = False  # whether it has `numbers`
    compares = False  # whether its losses need all of a batch, not each part's examples alone
    answers_untrained = False  # whether it can answer with weights that no run has trained

    @abc.abstractmethod
    def prepare(self, reference):
        """Reads and checks the rows to train and evaluate on, before anything is written.

        Args:
            reference: the folder of the weights to start from, for its vocabulary; None for tasks
                that may start from none.

        Raises:
            InputError: something in the rows or the vocabulary cannot be used.
        """

    @abc.abstractmethod
    def restore(self, folder):
        """Takes up what a run's folder has kept of an earlier `prepare`."""

    def adopt(self, reference):
        """Takes up a folder of weights that no run has trained, in place of `restore`.

        Only a task that `answers_untrained` is asked for it.
        """
        self.restore(reference)

    @abc.abstractmethod
    def build_model(self, reference, dtype):
        """Makes the model, with the weights found at `reference`.

        Args:
            reference: a folder of weights, this task's own or those of an encoder; or None, see
                `prepare`.
            dtype: a Keras dtype policy's name, such as "float32" or "mixed_bfloat16".
        """

    @abc.abstractmethod
    def save(self, model, folder):
        """Writes all that `restore` and `build_model` will want into a run's folder."""

    @abc.abstractmethod
    def training_set(self):
        """Returns what to train on.

        Its `len` is the examples of an epoch, `fingerprint` a str that tells it from others, and
        `batches(schedule, first_step)` gives a dataset without end, in an order that is a function
        of the schedule alone. Where rows are longer from some step on, `long_from(schedule)` tells
        from which. A batch is a dict: `inputs`, the model's, int32 [rows, length];
        `example` int32 [examples], the number of each example that the rows hold, in their order;
        `row_targets`, where there are targets for each token, a dict of arrays [rows, length]; and
        further targets by name, [examples, ...].
        """

    @abc.abstractmethod
    def weights(self, batch):
        """Returns what each loss of a batch counts, whatever the model may answer.

        Args:
            batch: see `training_set`.

        Returns:
            A dict of float32 arrays of one dimension, one for each term of the loss, by its name.
            The loss is the sum of the terms' weighted means.
        """

    @abc.abstractmethod
    def losses(self, outputs, batch):
        """Returns the losses that `weights` weighs, a dict of float32 arrays of the same shapes.

        Where replicas share a batch, each asks for the losses of its rows; with `compares`, where
        outputs are one tensor [examples, ...], it is given those of all.

        Args:
            outputs: the model's.
            batch: the batch of which they are.
        """

    def describe(self, batch):
        """Tells a person what a batch of the training set holds: a dict for each example."""
        return [{"example": int(number)} for number in batch["example"]]

    @abc.abstractmethod
    def evaluation_set(self):
        """Returns the examples to evaluate on, or None where there are none.

        Their `len` is their number, and `evaluation_batches(batch_size)` gives a dataset of every
        example once, in batches as `training_set` describes them.
        """

    def answers(self, outputs, batch):
        """Reduces the model's outputs for a batch to what is kept of each example, in graph ops.

        Args:
            outputs: the model's.
            batch: the batch of which they are.

        Returns:
            A tensor [examples, ...], in the batch's order.
        """
        return outputs

    @property
    @abc.abstractmethod
    def score_names(self):
        """The names of the scores to stop by that `evaluate` gives, known before it does."""

    @abc.abstractmethod
    def evaluate(self, answers):
        """Scores the answers to the evaluation set, as an `Evaluation`."""

    def prediction_set(self):
        """Returns the examples to predict, as `evaluation_set` does."""
        raise NotImplementedError

    def write_predictions(self, answers, folder):
        """Writes the answers to the prediction set into the folder; returns the file's path."""
        raise NotImplementedError

    def signatures(self, model):
        """Returns the functions to serve by name, each a `tf.function` with one signature."""
        raise NotImplementedError

    def numbers(self, outputs):
        """Reduces the model's outputs to an answer for runtimes that know no strings.

        Args:
            outputs: the model's, [examples, ...].

        Returns:
            A dict of float32 and int32 tensors [examples, ...], made in graph ops.
        """
        raise NotImplementedError

    def functions(self, model):
        """Returns what a Python program finds beside the signatures: further ones, by name.

        These may give what signatures cannot, such as ragged tensors.
        """
        return {}
