"""Overlapping windows over texts that are longer than an encoder takes.

Devlin et al. 2018, as google-research/bert reads SQuAD: a window begins every so many tokens, until
one reaches the end of the text. All in graph operations, for training and the export alike.
"""

from typing import NamedTuple

import tensorflow as tf


class Windows(NamedTuple):
    """Runs of tokens of texts, int32 [windows] each, the windows of a text one after another.

    Attributes:
        text: the number of the text that a window is of.
        first: which of the text's tokens it begins with.
        size: how many tokens it has.
    """

    text: tf.Tensor
    first: tf.Tensor
    size: tf.Tensor


def cut(lengths, room, step):
    """Cuts texts into windows. A text of no tokens has one window of none.

    Args:
        lengths: int32 [texts], tokens of each.
        room: int32 [texts] or scalar, tokens that a window may have, from 1.
        step: int32 scalar, tokens between the beginnings of two windows of a text, from 1; less
            where the room is less, so that no token is left out.

    Returns:
        `Windows`.
    """
    room = tf.broadcast_to(room, tf.shape(lengths))  # [texts]
    step = tf.minimum(step, room)
    beyond = tf.maximum(lengths - room, 0)
    counts = 1 + (beyond + step - 1) // step  # [texts]
    text = tf.repeat(tf.range(tf.size(lengths)), counts)  # [windows]
    number = tf.range(tf.size(text)) - tf.gather(tf.cumsum(counts, exclusive=True), text)
    first = number * tf.gather(step, text)
    size = tf.minimum(tf.gather(room, text), tf.gather(lengths, text) - first)
    return Windows(text, first, size)


def take(tokens, windows):
    """Takes what is known of each token, window by window.

    Args:
        tokens: ragged [texts, (tokens), ...].
        windows: `Windows` of the same texts.

    Returns:
        Ragged [windows, (tokens), ...].
    """
    begins = tf.gather(tf.cast(tokens.row_starts(), tf.int32), windows.text) + windows.first
    positions = tf.ragged.range(begins, begins + windows.size)  # [windows, (tokens)]
    return positions.with_values(tf.gather(tokens.values, positions.values))


def has_most_context(windows):
    """Tells for each token of a text the window that shows most of what is around it.

    The context of a token in a window is what it has on the side where it has less. Of windows that
    show as much, the first one counts.

    Args:
        windows: `Windows`.

    Returns:
        Ragged bool [windows, (tokens)]: each token of a text is true in exactly one window.
    """
    position = tf.ragged.range(windows.size)  # [windows, (tokens)], within the window
    window, position = tf.cast(position.value_rowids(), tf.int32), position.values  # [tokens]
    context = tf.minimum(position, tf.gather(windows.size, window) - 1 - position)
    count = tf.size(windows.text)
    worth = context * count + (count - 1 - window)  # no two windows of a text are worth the same

    ends = tf.math.segment_max(windows.first + windows.size, windows.text)  # [texts]
    begins = tf.gather(tf.cumsum(ends, exclusive=True), windows.text) + windows.first
    token = tf.gather(begins, window) + position  # [tokens], counted through all texts
    best = tf.math.unsorted_segment_max(worth, token, tf.reduce_sum(ends))
    return tf.RaggedTensor.from_row_lengths(
        worth == tf.gather(best, token), windows.size, validate=False
    )
