"""Cutting a packed batch into parts."""

import tensorflow as tf


def take_shard(batch, part, parts):
    """Takes some of a batch's rows, with their examples.

    Args:
        batch: a dict as `bert_keras.training.task.Task.training_set` describes it, of `rows` rows.
        part: int32 scalar, which part, from 0.
        parts: int32 scalar, how many parts; they differ by one row at most.

    Returns:
        A batch of the rows [rows * part / parts, rows * (part + 1) / parts).
    """
    first, last, skipped, taken = _bounds(batch, part, parts)
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


def place_shard(outputs, batch, part, parts):
    """Puts what a model gives for a part of a batch where it is in the whole, and zeros elsewhere.

    Args:
        outputs: [examples of the part, ...].
        batch, part, parts: see `take_shard`.

    Returns:
        [examples of the batch, ...].
    """
    _, _, skipped, taken = _bounds(batch, part, parts)
    after = tf.size(batch["example"]) - skipped - taken
    return tf.pad(outputs, [[skipped, after], *[[0, 0]] * (outputs.shape.rank - 1)])


def _bounds(batch, part, parts):
    """A part's first row and the one after its last; the examples before it, and in it."""
    examples_of = tf.reduce_max(batch["inputs"]["example_ids"], axis=1)  # [rows]
    rows = tf.size(examples_of)
    first, last = rows * part // parts, rows * (part + 1) // parts
    return first, last, tf.reduce_sum(examples_of[:first]), tf.reduce_sum(examples_of[first:last])
