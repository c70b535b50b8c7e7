"""What a model predicts for [MASK], in numbers and as a table for people."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from bert_keras.layers.example_starts import example_starts
from bert_keras.training.task import Table

_SHOWN = 40
_BEST = 5
_BLANK = "____"  # the mask that is predicted, among others
_BETWEEN = " · "  # tokens, of which a comma is a frequent one
_CONTEXT = 12  # tokens on either side of a shown mask


def examples_of_masks(inputs: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds the example that each masked token is in.

    Args:
        inputs: the inputs of a `BertPretrainer`, int32 [rows, length] each.

    Returns:
        int32 [masked], the numbers of the examples in the order of the rows, ascending; and int32
        [], how many examples there are.
    """
    starts = tf.cast(example_starts(inputs["example_ids"]), tf.int32)  # [rows * length]
    masked = tf.reshape(inputs["masked"], [-1]) > 0
    return tf.boolean_mask(tf.cumsum(starts) - 1, masked), tf.reduce_sum(starts)


def best_tokens(logits: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds the tokens of the highest probability.

    Args:
        logits: float32 [masked, vocabulary].
        count: how many tokens; all, if the vocabulary has fewer.

    Returns:
        The ids, int32 [masked, count], the best first, and their probabilities, float32.
    """
    best = tf.math.top_k(tf.nn.softmax(logits), min(count, logits.shape[1]))
    return best.indices, best.values


def best_predictions(
    logits: tf.Tensor,
    labels: tf.Tensor,
    inputs: Mapping[str, tf.Tensor],
    example_ids: tf.Tensor,
    count: tf.Tensor,
    mask_id: int,
) -> tf.Tensor:
    """Predicts one [MASK] of each example: the one in the middle.

    Args:
        logits: float32 [masked, vocabulary].
        labels: int32 [masked], the true tokens.
        inputs: the inputs of a `BertPretrainer`, int32 [rows, length] each.
        example_ids: int32 [masked], see `examples_of_masks`.
        count: how many examples there are.
        mask_id: the id of [MASK].

    Returns:
        float32 [examples, ...]: the true token, the best tokens, their probabilities, and the
        tokens around, -1 beyond the example; -1 throughout for an example without a [MASK].
    """
    tokens, examples = (
        tf.reshape(inputs[name], [-1]) for name in ("token_ids", "example_ids")
    )  # [rows * length]
    length = tf.shape(inputs["token_ids"])[1]
    positions = tf.where(tf.reshape(inputs["masked"], [-1]) > 0)[:, 0]  # [masked]
    positions = tf.cast(positions, tf.int32)
    is_hidden = tf.gather(tokens, positions) == mask_id
    hidden = tf.where(is_hidden)[:, 0]  # [hidden]
    hidden_count = tf.math.unsorted_segment_sum(
        tf.cast(is_hidden, tf.int32), example_ids, count
    )  # [examples]
    shown = tf.where(hidden_count > 0)  # [shown, 1], the examples that have a [MASK]
    middle = tf.cumsum(hidden_count, exclusive=True) + hidden_count // 2
    chosen = tf.gather(hidden, tf.gather(middle, shown[:, 0]))  # [shown]
    truth = tf.gather(labels, chosen)[:, tf.newaxis]  # [shown, 1]
    ids, probabilities = best_tokens(tf.gather(logits, chosen), _BEST)  # [shown, best]
    position = tf.gather(positions, chosen)[:, tf.newaxis]  # [shown, 1]
    around = position + tf.range(-_CONTEXT, _CONTEXT + 1)  # [shown, around]
    inside = tf.clip_by_value(around, 0, tf.size(tokens) - 1)
    is_same = (around == inside) & (around // length == position // length)
    is_same &= tf.gather(examples, inside) == tf.gather(examples, position)
    columns = [truth, ids, probabilities, tf.where(is_same, tf.gather(tokens, inside), -1)]
    columns = tf.concat([tf.cast(column, tf.float32) for column in columns], axis=1)
    nothing = tf.fill([count, columns.shape[1]], -1.0)
    return tf.tensor_scatter_nd_update(nothing, shown, columns)


def prediction_table(predictions: np.ndarray, vocabulary: Sequence[str]) -> Table:
    """Writes some of the predictions, evenly spaced over the examples, in words.

    Args:
        predictions: float32 [examples, ...], what `best_predictions` returned.
        vocabulary: the tokens by id.
    """
    predictions = predictions[predictions[:, 0] >= 0]
    predictions = predictions[:: max(1, len(predictions) // _SHOWN)][:_SHOWN]
    rows = []
    for line in predictions:
        truth, ids, probabilities, around = np.split(line, [1, 1 + _BEST, 1 + 2 * _BEST])
        words = [vocabulary[int(i)] if i >= 0 else "" for i in around]
        words[_CONTEXT] = _BLANK
        best = [f"{vocabulary[int(i)]} {p:.1%}" for i, p in zip(ids, probabilities, strict=True)]
        text = " ".join(word for word in words if word).replace(" ##", "")
        rows.append([text, vocabulary[int(truth[0])], _BETWEEN.join(best)])
    return Table(["text", "truth", f"{_BEST} best fillings"], rows)
