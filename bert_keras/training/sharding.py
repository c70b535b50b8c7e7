"""Cutting a packed batch into shards, each of some of its rows."""

from __future__ import annotations

import tensorflow as tf

from bert_keras.training.task import Batch


def take_shard(batch: Batch, index: int | tf.Tensor, count: int | tf.Tensor) -> Batch:
    """Takes one of `count` shards of a batch: some of its rows, with their examples.

    Args:
        batch: a `Batch` of `rows` rows.
        index: int32 scalar, which shard, from 0.
        count: int32 scalar, how many shards there are. Their sizes differ by one row at most.

    Returns:
        A batch of the rows [rows * index / count, rows * (index + 1) / count).
    """
    first, last, skipped, taken = _bounds(batch, index, count)
    by_row = {
        name: tf.nest.map_structure(lambda values: values[first:last], values)
        for name, values in batch.items()
        if name in ("inputs", "row_targets")
    }
    by_example = {
        name: values[skipped : skipped + taken]
        for name, values in batch.items()
        if name not in by_row
    }
    return by_row | by_example


def place_shard(
    outputs: tf.Tensor, batch: Batch, index: int | tf.Tensor, count: int | tf.Tensor
) -> tf.Tensor:
    """Pads a model's outputs for a shard with zeros, to an array of all of the batch's examples.

    Args:
        outputs: [examples of the shard, ...].
        batch: the batch that the shard is of.
        index: see `take_shard`.
        count: see `take_shard`.

    Returns:
        [examples of the batch, ...].
    """
    _, _, skipped, taken = _bounds(batch, index, count)
    after = tf.size(batch["example"]) - skipped - taken
    return tf.pad(outputs, [[skipped, after], *[[0, 0]] * (outputs.shape.rank - 1)])


def _bounds(batch: Batch, index: int | tf.Tensor, count: int | tf.Tensor) -> tuple[tf.Tensor, ...]:
    """A shard's first row and the one after its last; the examples before it, and in it."""
    examples_of = tf.reduce_max(batch["inputs"]["example_ids"], axis=1)  # [rows]
    rows = tf.size(examples_of)
    first, last = rows * index // count, rows * (index + 1) // count
    return first, last, tf.reduce_sum(examples_of[:first]), tf.reduce_sum(examples_of[first:last])
