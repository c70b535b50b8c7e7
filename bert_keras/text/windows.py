"""Splits texts that are longer than the encoder's input into overlapping windows.

Source: google-research/bert, run_squad.py (the document stride). A window starts every `step`
tokens until one reaches the end of the text. Everything is done in TensorFlow ops, so that training
and the exported model share the code.
"""

from typing import NamedTuple

import tensorflow as tf


class Windows(NamedTuple):
    """Windows of a batch of texts, int32 [windows] each, ordered by text.

    Attributes:
        text: the index of the window's text.
        first: the index in the text of the window's first token.
        size: how many tokens the window has.
    """

    text: tf.Tensor
    first: tf.Tensor
    size: tf.Tensor


def cut(lengths: tf.Tensor, max_tokens: int | tf.Tensor, step: int | tf.Tensor) -> Windows:
    """Splits texts into windows. An empty text has one empty window.

    Args:
        lengths: int32 [texts], the number of tokens of each text.
        max_tokens: int32 [texts] or scalar, the most tokens that a window may have, from 1.
        step: int32 scalar, tokens between the starts of two windows of a text, from 1. Where
            `max_tokens` is smaller, that is the step, so that no token is left out.

    Returns:
        The windows.
    """
    max_tokens = tf.broadcast_to(max_tokens, tf.shape(lengths))  # [texts]
    step = tf.minimum(step, max_tokens)
    beyond = tf.maximum(lengths - max_tokens, 0)
    counts = 1 + (beyond + step - 1) // step  # [texts]
    text = tf.repeat(tf.range(tf.size(lengths)), counts)  # [windows]
    index = tf.range(tf.size(text)) - tf.gather(tf.cumsum(counts, exclusive=True), text)
    first = index * tf.gather(step, text)
    size = tf.minimum(tf.gather(max_tokens, text), tf.gather(lengths, text) - first)
    return Windows(text, first, size)


def take(tokens: tf.RaggedTensor, windows: Windows) -> tf.RaggedTensor:
    """Gathers a value of each token, window by window.

    Args:
        tokens: ragged [texts, (tokens), ...], such as token ids or offsets.
        windows: windows of the same texts.

    Returns:
        Ragged [windows, (tokens), ...].
    """
    starts = tf.gather(tf.cast(tokens.row_starts(), tf.int32), windows.text) + windows.first
    indices = tf.ragged.range(starts, starts + windows.size)  # [windows, (tokens)]
    return indices.with_values(tf.gather(tokens.values, indices.values))


def has_most_context(windows: Windows) -> tf.RaggedTensor:
    """Selects for each token the window in which it has the most context.

    The context of a token in a window is the number of tokens to its left or to its right in that
    window, whichever is smaller. Where two windows tie, the first is selected. Source: max context
    in google-research/bert, run_squad.py.

    Args:
        windows: the windows.

    Returns:
        Ragged bool [windows, (tokens)]: each token of a text is true in exactly one window.
    """
    position = tf.ragged.range(windows.size)  # [windows, (tokens)], within the window
    window, position = tf.cast(position.value_rowids(), tf.int32), position.values  # [tokens]
    context = tf.minimum(position, tf.gather(windows.size, window) - 1 - position)
    count = tf.size(windows.text)
    rank = context * count + (count - 1 - window)  # differs between any two windows of a text

    ends = tf.math.segment_max(windows.first + windows.size, windows.text)  # [texts]
    starts = tf.gather(tf.cumsum(ends, exclusive=True), windows.text) + windows.first
    token = tf.gather(starts, window) + position  # [tokens], index in the concatenated texts
    best = tf.math.unsorted_segment_max(rank, token, tf.reduce_sum(ends))
    return tf.RaggedTensor.from_row_lengths(
        rank == tf.gather(best, token), windows.size, validate=False
    )
