"""Encoded examples to packed batches, in a tf.data pipeline."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from bert_keras.data.epochs import epoch_order, steps_per_epoch
from bert_keras.data.packing import pack
from bert_keras.text.tokenizer import BertTokenizer

Targets = Mapping[str, np.ndarray | tf.Tensor | tf.RaggedTensor]

_ENCODE_BATCH = 1024
# The unit of row lengths, in tokens. Longer rows cost more attention, and the last row of a batch,
# half empty on average, wastes more. Rows hardly longer than their examples pack badly. On GLUE's
# tasks, multiples of 64 are filled to nine tenths.
_ROW_UNIT = 64


class BatchOrder(Protocol):
    """What determines the order of training batches: the part of a schedule that data needs."""

    @property
    def batch_size(self) -> int:
        """Examples a step; the last step of an epoch may have fewer."""

    @property
    def seed(self) -> int:
        """The seed of the shuffle."""


@dataclasses.dataclass(frozen=True)
class EncodedExamples:
    """Examples as token ids, tokenized once and kept in memory (8 bytes a token).

    Attributes:
        token_ids: ragged int32 [examples, (tokens)], special tokens included.
        segment_ids: ragged int32 [examples, (tokens)].
        truncated: the number of examples that were cut to the maximum length.
    """

    token_ids: tf.RaggedTensor
    segment_ids: tf.RaggedTensor
    truncated: int

    def __len__(self) -> int:
        return int(self.token_ids.nrows())

    @property
    def tokens(self) -> int:
        """The number of tokens of all examples."""
        return int(tf.size(self.token_ids.values))

    @property
    def row_length(self) -> int:
        """Tokens of a row in the batch that has the longest example."""
        return int(_row_length(self.token_ids))

    def evaluation_batches(self, batch_size: int) -> tf.data.Dataset:
        """See `evaluation_batches`."""
        return evaluation_batches(self, batch_size)


def _describe_by_number(batch: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"example": int(number)} for number in batch["example"]]


@dataclasses.dataclass(frozen=True)
class LabelledExamples:
    """Examples with their targets: what to train on, or to evaluate on.

    Attributes:
        examples: the encoded examples.
        targets: what the loss needs of each example, by name, [examples, ...].
        group: the number of consecutive examples that count as one and stay in one batch: 2 for
            the two texts of a pair.
        names: the names of the classes that integer targets index, for the fingerprint.
        describe: describes a batch to a person: a dict that JSON holds for each example.
    """

    examples: EncodedExamples
    targets: Targets
    group: int = 1
    names: Sequence[str] = ()
    describe: Callable[[Mapping[str, Any]], list[dict[str, Any]]] = _describe_by_number

    def __len__(self) -> int:
        return len(self.examples) // self.group

    @property
    def fingerprint(self) -> str:
        """A hash of the examples, their targets and their order, 16 hexadecimal digits."""
        digest = hashlib.sha256(json.dumps(list(self.names)).encode())
        for name, values in sorted({"token_ids": self.examples.token_ids, **self.targets}.items()):
            digest.update(name.encode())
            for component in tf.nest.flatten(values, expand_composites=True):
                digest.update(np.ascontiguousarray(component).data)
        return digest.hexdigest()[:16]

    @property
    def row_length(self) -> int:
        """Tokens of a row in the batch that has the longest example."""
        return self.examples.row_length

    def long_from(self, schedule: BatchOrder) -> int:
        """Returns 0: there is no step from which all rows are longer."""
        return 0

    def batches(self, schedule: BatchOrder, first_step: int = 0) -> tf.data.Dataset:
        """See `training_batches`."""
        return training_batches(
            self.examples, self.targets, schedule.batch_size, schedule.seed, first_step, self.group
        )

    def evaluation_batches(self, batch_size: int) -> tf.data.Dataset:
        """See `evaluation_batches`."""
        return evaluation_batches(self.examples, batch_size, self.targets)


def encode(
    tokenizer: BertTokenizer, texts: Sequence[str], pairs: Sequence[str] | None, max_length: int
) -> EncodedExamples:
    """Tokenizes texts on all cores.

    Args:
        tokenizer: turns texts into token ids.
        texts: the texts, or the first texts of pairs.
        pairs: the second texts of pairs; None for single texts.
        max_length: tokens that an example may have, special tokens included; longer ones are cut.
    """
    columns = {"texts": texts} if pairs is None else {"texts": texts, "pairs": pairs}

    @tf.autograph.experimental.do_not_convert  # takes a second, and there is nothing to convert
    def encode_batch(batch: dict[str, tf.Tensor]) -> dict[str, Any]:
        return tokenizer.encode(**batch, max_length=max_length)

    encoded = (
        tf.data.Dataset.from_tensor_slices(
            {name: tf.constant(column, tf.string) for name, column in columns.items()}
        )
        .batch(_ENCODE_BATCH)
        .map(encode_batch, num_parallel_calls=tf.data.AUTOTUNE)
    )
    options = tf.data.Options()
    # Batches in parallel keep all cores busy; splitting their small operations costs more.
    options.threading.max_intra_op_parallelism = 1
    batches = list(encoded.with_options(options))
    return EncodedExamples(
        token_ids=tf.concat([batch["token_ids"] for batch in batches], axis=0),
        segment_ids=tf.concat([batch["segment_ids"] for batch in batches], axis=0),
        truncated=sum(int(tf.math.count_nonzero(batch["truncated"])) for batch in batches),
    )


def training_batches(
    examples: EncodedExamples,
    targets: Targets,
    batch_size: int,
    seed: int,
    first_step: int = 0,
    group: int = 1,
) -> tf.data.Dataset:
    """Makes packed batches without end, in another order in every epoch.

    The order is a function of the seed and the epoch alone. Batch n is the same whether or not the
    batches before it were drawn, so training resumes at any step without recorded state.

    Args:
        examples: the encoded examples.
        targets: what the loss needs of each example, by name, [examples, ...].
        batch_size: examples, or groups, in a batch; the last batch of an epoch may have fewer.
        seed: the seed of the shuffle.
        first_step: the first batch to make, counted from the start of training.
        group: the number of consecutive examples that stay together.

    Returns:
        A dataset of batches, see `evaluation_batches`. The rows of a batch are as long as its own
        longest example needs.
    """

    def selections() -> Iterator[np.ndarray]:
        groups = np.arange(len(examples)).reshape(-1, group)
        epoch, skip = divmod(first_step, steps_per_epoch(len(groups), batch_size))
        while True:
            order = epoch_order(len(groups), seed, epoch)
            for chosen in _cut(order, batch_size)[skip:]:
                yield groups[chosen].ravel()
            epoch, skip = epoch + 1, 0

    return _packed(examples, targets, selections)


def evaluation_batches(
    examples: EncodedExamples, batch_size: int, targets: Targets | None = None
) -> tf.data.Dataset:
    """Makes packed batches of every example once, in order.

    Args:
        examples: the encoded examples.
        batch_size: examples in a batch; the last batch may have fewer.
        targets: further values of each example, by name, [examples, ...].

    Returns:
        A dataset of dicts: `inputs`, the encoder's inputs, int32 [rows, row_length], of one length
        in all batches, so that predictions for tokens can be stacked; `example`, int32 [examples],
        the index of the example that each of the model's predictions is for; and the targets by
        name, [examples, ...] in the order of the predictions.
    """
    selections = _cut(np.arange(len(examples)), batch_size)
    return _packed(examples, targets or {}, lambda: selections, examples.row_length)


def _cut(order: np.ndarray, batch_size: int) -> list[np.ndarray]:
    return np.split(order, range(batch_size, len(order), batch_size))


def _row_length(token_ids: tf.RaggedTensor) -> tf.Tensor:
    """The length of packed rows that hold the longest of some examples and waste little."""
    longest = tf.reduce_max(tf.concat([token_ids.row_lengths(), [1]], 0))
    return tf.cast(-(-longest // _ROW_UNIT) * _ROW_UNIT, tf.int32)


def _packed(
    examples: EncodedExamples,
    targets: Targets,
    selections: Callable[[], Iterable[np.ndarray]],
    row_length: int | None = None,
) -> tf.data.Dataset:
    constants = {name: tf.constant(values) for name, values in targets.items()}

    @tf.autograph.experimental.do_not_convert  # takes a second, and there is nothing to convert
    def batch(selection: tf.Tensor) -> dict[str, Any]:  # [examples]
        token_ids = tf.gather(examples.token_ids, selection)
        segment_ids = tf.gather(examples.segment_ids, selection)
        length = _row_length(token_ids) if row_length is None else row_length
        inputs, order = pack(token_ids, segment_ids, length)
        selection = tf.gather(selection, order)
        chosen = {name: tf.gather(values, selection) for name, values in constants.items()}
        return {"inputs": inputs, "example": selection, **chosen}

    return (
        tf.data.Dataset.from_generator(selections, output_signature=tf.TensorSpec([None], tf.int32))
        .map(batch, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )
