"""Decodes the probabilities of words' tags into entities, in graph operations.

The tags are in the order "O", "B" of the first type, "I" of the first type, "B" of the second, ...
An "I" may only follow a "B" or an "I" of its type.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf


class PredictedEntities(NamedTuple):
    """Entities of texts, all ragged [texts, (entities)].

    Attributes:
        type: int32, the index of the type.
        first: int32, the index of the first word, counted through all texts.
        last: int32, the index of the last word, likewise.
        score: float32, the mean of the probabilities of the tags of the entity's words.
    """

    type: tf.RaggedTensor
    first: tf.RaggedTensor
    last: tf.RaggedTensor
    score: tf.RaggedTensor


def find_entities(log_probs: tf.RaggedTensor) -> tuple[tf.Tensor, PredictedEntities]:
    """Finds the entities of texts from the probabilities of their words' tags.

    Args:
        log_probs: ragged float32 [texts, (words), tags], the logarithms of probabilities.

    Returns:
        The tags of all texts' words in one sequence, int32 [words]; and the entities.
    """
    tags = best_tags(log_probs)  # [words]
    is_first = tf.cast(tags % 2 == 1, tf.int32)
    first = tf.cast(tf.where(is_first > 0)[:, 0], tf.int32)  # [entities]
    count = tf.size(first)
    # A word inside an entity belongs to the entity that started last.
    words = tf.where(tags > 0)[:, 0]
    entity = tf.gather(tf.cumsum(is_first) - 1, words)
    sizes = tf.math.unsorted_segment_sum(tf.ones_like(entity), entity, count)  # [entities]
    probabilities = tf.exp(tf.gather(log_probs.values, tags, batch_dims=1))  # [words]
    sums = tf.math.unsorted_segment_sum(tf.gather(probabilities, words), entity, count)
    kind = (tf.gather(tags, first) - 1) // 2
    splits = tf.searchsorted(first, tf.cast(log_probs.row_splits, tf.int32), out_type=tf.int64)
    columns = kind, first, first + sizes - 1, sums / tf.cast(sizes, tf.float32)
    return tags, PredictedEntities(
        *(tf.RaggedTensor.from_row_splits(column, splits, validate=False) for column in columns)
    )


def best_tags(log_probs: tf.RaggedTensor) -> tf.Tensor:
    """Finds the most probable sequence of tags that the order of tags allows (Viterbi 1967).

    Most words cannot continue an entity, whatever follows them. There a text splits into runs that
    are independent of each other. All runs are decoded in parallel, in as many steps as the longest
    run has words.

    Args:
        log_probs: ragged float32 [texts, (words), tags].

    Returns:
        The tags of all texts in one sequence, int32 [words].
    """
    values = log_probs.values  # [words, tags]
    words, tags = tf.shape(values, tf.int64)[0], values.shape[-1]
    starts = tf.where(_starts_run(values, log_probs.row_splits))[:, 0]  # [runs]
    lengths = tf.concat([starts, [words]], 0)[1:] - starts
    longest_first = tf.argsort(lengths, direction="DESCENDING", stable=True)
    starts, lengths = tf.gather(starts, longest_first), tf.gather(lengths, longest_first)
    steps = tf.maximum(tf.reduce_max(tf.concat([lengths, [1]], 0)), 1)

    def words_of(step: tf.Tensor) -> tf.Tensor:
        """The index of the step's word, for each run that has as many words."""
        return starts[: tf.math.count_nonzero(lengths > step)] + step

    # Forward: for each word and tag, the score of the best sequence that ends there.
    def forward(
        step: tf.Tensor, scores: tf.Tensor, kept: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        word = words_of(step)
        scores = tf.gather(values, word) + _best_before(scores[: tf.size(word)])  # [runs, tags]
        scores -= tf.reduce_max(scores, axis=1, keepdims=True)  # long sums would lose precision
        return step + 1, scores, kept.write(tf.cast(step, tf.int32), scores)

    count = tf.cast(steps, tf.int32)
    kept = tf.TensorArray(tf.float32, count, infer_shape=False, element_shape=[None, tags])
    impossible = tf.fill([tf.size(starts), tags], -np.inf)  # no entity is open before a run
    _, _, kept = tf.while_loop(
        lambda step, *_: step < steps,
        forward,
        (
            tf.constant(0, tf.int64),
            tf.concat([tf.zeros_like(impossible[:, :1]), impossible[:, 1:]], 1),
            kept,
        ),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, tags]), tf.TensorShape(None)),
    )

    # Backward: the best tag of those that the next word's tag may follow.
    allowed_before = tf.constant(_allowed_before(tags))

    def backward(
        step: tf.Tensor, after: tf.Tensor, best: tf.TensorArray, indices: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray, tf.TensorArray]:
        word = words_of(step)
        ends = tf.fill([tf.size(word) - tf.size(after)], tags)  # the runs whose last word this is
        scores = kept.read(tf.cast(step, tf.int32)) + tf.gather(
            allowed_before, tf.concat([after, ends], 0)
        )
        tag = tf.argmax(scores, axis=1, output_type=tf.int32)  # [runs]
        index = tf.cast(step, tf.int32)
        return step - 1, tag, best.write(index, tag), indices.write(index, word)

    columns = [
        tf.TensorArray(dtype, count, infer_shape=False, element_shape=[None])
        for dtype in (tf.int32, tf.int64)
    ]
    _, _, best, indices = tf.while_loop(
        lambda step, *_: step >= 0,
        backward,
        (steps - 1, tf.zeros([0], tf.int32), *columns),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None]), *[tf.TensorShape(None)] * 2),
    )
    return tf.scatter_nd(indices.concat()[:, tf.newaxis], best.concat(), [words])


def _starts_run(values: tf.Tensor, row_splits: tf.Tensor) -> tf.Tensor:
    """Finds the words that continue no entity in any best sequence of tags.

    If such a word had an "I", another tag that may follow any tag would be better there, even if
    the next word then needed a "B" instead of an "I".

    Args:
        values: float32 [words, tags].
        row_splits: int64 [texts + 1].

    Returns:
        bool [words]; true for the first word of each text.
    """
    firsts, insides = values[:, 1::2], values[:, 2::2]  # [words, types]
    other = tf.maximum(values[:, 0], tf.reduce_max(firsts, axis=1))  # [words]
    words = tf.shape(values, tf.int64)[0]
    is_first = tf.math.unsorted_segment_max(
        tf.ones_like(row_splits, tf.int32), row_splits, words + 1
    )  # [words + 1]; the least integer for others
    is_first = is_first > 0
    cost = tf.concat([insides - firsts, tf.zeros_like(insides[:1])], 0)[1:]  # at the next word
    cost = tf.where(is_first[1:, tf.newaxis], 0.0, tf.maximum(cost, 0.0))  # [words, types]
    never_inside = tf.reduce_all(other[:, tf.newaxis] - insides > cost, axis=1)
    return is_first[:-1] | never_inside


def _best_before(scores: tf.Tensor) -> tf.Tensor:
    """The best score of the word before from which each tag is allowed: [runs, tags]."""
    best = tf.reduce_max(scores, axis=1, keepdims=True)  # [runs, 1]
    opened = tf.maximum(scores[:, 1::2], scores[:, 2::2])  # [runs, types]
    pairs = tf.stack([tf.broadcast_to(best, tf.shape(opened)), opened], axis=2)
    return tf.concat([best, tf.reshape(pairs, [-1, 2 * opened.shape[1]])], axis=1)


def _allowed_before(tags: int) -> np.ndarray:
    """Zero where a tag, or the end, may follow another tag, else -inf: [tags + 1, tags]."""
    table = np.zeros([tags + 1, tags], np.float32)
    for inside in range(2, tags, 2):
        table[inside] = -np.inf
        table[inside, [inside - 1, inside]] = 0
    return table
