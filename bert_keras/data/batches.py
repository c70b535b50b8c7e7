"""Encoded examples to packed batches, by way of tf.data."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from bert_keras.data.epochs import epoch_order, steps_per_epoch
from bert_keras.data.packing import pack

_ENCODE_BATCH = 1024
# Attention costs least in short rows, and a batch's last row, half empty, wastes least; rows hardly
# longer than their examples pack badly. Multiples of this fill to nine tenths on GLUE's tasks.
_ROW_UNIT = 64


@dataclasses.dataclass(frozen=True)
class EncodedExamples:
    """Examples as token ids, tokenized once and kept in memory (4 bytes a token, twice).

    Attributes:
        token_ids: ragged int32 [examples, (tokens)], special tokens included.
        segment_ids: ragged int32 [examples, (tokens)].
        truncated: how many examples were cut to the longest length allowed.
    """

    token_ids: tf.RaggedTensor
    segment_ids: tf.RaggedTensor
    truncated: int

    def __len__(self):
        return int(self.token_ids.nrows())

    @property
    def tokens(self):
        """How many tokens there are in all."""
        return int(tf.size(self.token_ids.values))

    def evaluation_batches(self, batch_size):
        """See `evaluation_batches`."""
        return evaluation_batches(self, batch_size)

    @property
    def row_length(self):
        """The length of the packed rows of a batch that has the longest example."""
        return int(_row_length(self.token_ids))


def _describe_by_number(batch: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"example": int(number)} for number in batch["example"]]


@dataclasses.dataclass(frozen=True)
class LabelledExamples:
    """Examples with what the loss, or the task's `answers`, needs of each.

    Attributes:
        examples: `EncodedExamples`.
        targets: dict of arrays [examples, ...].
        group: how many examples, one after the other, are one to the loop and stay together: 2
            where they are the two texts of pairs.
        names: what targets that are numbers stand for.
        describe: describes a batch to a person, a dict for each example.
    """

    examples: EncodedExamples
    targets: dict
    group: int = 1
    names: tuple[str, ...] = ()
    describe: Callable[[Mapping[str, Any]], list[dict[str, Any]]] = _describe_by_number

    @property
    def fingerprint(self):
        """A hash of the examples, their targets and their order, a str of 16 characters."""
        found = hashlib.sha256(json.dumps(list(self.names)).encode())
        for name, values in sorted({"token_ids": self.examples.token_ids, **self.targets}.items()):
            found.update(name.encode())
            for part in tf.nest.flatten(values, expand_composites=True):
                found.update(np.ascontiguousarray(part))
        return found.hexdigest()[:16]

    def __len__(self):
        return len(self.examples) // self.group

    @property
    def row_length(self):
        """Tokens of a row, in the batches that have the longest."""
        return self.examples.row_length

    def long_from(self, schedule):
        """The step from which rows are longer: none."""
        return 0

    def batches(self, schedule, first_step=0):
        """See `training_batches`; the schedule has `batch_size` and `seed`."""
        return training_batches(
            self.examples, self.targets, schedule.batch_size, schedule.seed, first_step, self.group
        )

    def evaluation_batches(self, batch_size):
        """See `evaluation_batches`."""
        return evaluation_batches(self.examples, batch_size, self.targets)


def encode(tokenizer, texts, pairs, max_length):
    """Tokenizes texts on all cores.

    Args:
        tokenizer: a `BertTokenizer`.
        texts: list of str.
        pairs: list of str, the second sentence of each example, or None.
        max_length: tokens that an example may have, special tokens included.

    Returns:
        `EncodedExamples`.
    """
    columns = {"texts": texts} if pairs is None else {"texts": texts, "pairs": pairs}

    @tf.autograph.experimental.do_not_convert  # it takes a second, and there is nothing to convert
    def encode_batch(batch):
        return tokenizer.encode(**batch, max_length=max_length)

    pieces = (
        tf.data.Dataset.from_tensor_slices(
            {k: tf.constant(v, tf.string) for k, v in columns.items()}
        )
        .batch(_ENCODE_BATCH)
        .map(encode_batch, num_parallel_calls=tf.data.AUTOTUNE)
    )
    options = tf.data.Options()
    # Batches side by side keep all cores busy; splitting their small operations up costs more.
    options.threading.max_intra_op_parallelism = 1
    pieces = list(pieces.with_options(options))
    return EncodedExamples(
        token_ids=tf.concat([piece["token_ids"] for piece in pieces], axis=0),
        segment_ids=tf.concat([piece["segment_ids"] for piece in pieces], axis=0),
        truncated=sum(int(tf.math.count_nonzero(piece["truncated"])) for piece in pieces),
    )


def training_batches(examples, targets, batch_size, seed, first_step=0, group=1):
    """Packed batches without end, shuffled anew in every epoch.

    The order is a function of the seed and the epoch alone, so a run goes on at any step without
    having to remember anything: batch n is the same whether or not those before it were drawn.

    Args:
        examples: `EncodedExamples`.
        targets: dict of arrays [examples, ...], what the loss needs of each example.
        batch_size: examples, or groups, in a batch; the last one of an epoch may be smaller.
        seed: int.
        first_step: the batch to begin with, counted from the start of training.
        group: how many examples, one after the other, stay together.

    Returns:
        A dataset of batches, as `evaluation_batches` describes them, but that each has rows as
        long as its own longest example needs.
    """

    def selections():
        groups = np.arange(len(examples)).reshape(-1, group)
        epoch, skip = divmod(first_step, steps_per_epoch(len(groups), batch_size))
        while True:
            order = epoch_order(len(groups), seed, epoch)
            for chosen in _cut(order, batch_size)[skip:]:
                yield groups[chosen].ravel()
            epoch, skip = epoch + 1, 0

    return _packed(examples, targets, selections)


def evaluation_batches(examples, batch_size, targets=None):
    """Packed batches of every example once, in order, the last batch included.

    Args:
        examples: `EncodedExamples`.
        batch_size: examples in a batch.
        targets: dict of arrays [examples, ...], what else there is to say of each example.

    Returns:
        A dataset of dicts: `inputs`, the encoder's inputs, int32 [rows, row_length], with one
        length for all batches, so that answers for each token stack; `example` int32 [examples],
        which example each of the model's answers belongs to; and the targets by name,
        [examples, ...] in the order of the answers.
    """
    selections = _cut(np.arange(len(examples)), batch_size)
    return _packed(examples, targets or {}, lambda: selections, examples.row_length)


def _cut(order, batch_size):
    return np.split(order, range(batch_size, len(order), batch_size))


def _row_length(token_ids):
    """The length of packed rows that hold the longest of some examples and waste little."""
    longest = tf.reduce_max(tf.concat([token_ids.row_lengths(), [1]], 0))
    return tf.cast(-(-longest // _ROW_UNIT) * _ROW_UNIT, tf.int32)


def _packed(examples, targets, selections, row_length=None):
    targets = {name: tf.constant(values) for name, values in targets.items()}

    @tf.autograph.experimental.do_not_convert  # it takes a second, and there is nothing to convert
    def batch(selection):  # [examples]
        token_ids = tf.gather(examples.token_ids, selection)
        segment_ids = tf.gather(examples.segment_ids, selection)
        length = _row_length(token_ids) if row_length is None else row_length
        inputs, order = pack(token_ids, segment_ids, length)
        selection = tf.gather(selection, order)
        chosen = {name: tf.gather(values, selection) for name, values in targets.items()}
        return {"inputs": inputs, "example": selection, **chosen}

    return (
        tf.data.Dataset.from_generator(selections, output_signature=tf.TensorSpec([None], tf.int32))
        .map(batch, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )
