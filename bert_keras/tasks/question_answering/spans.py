"""From logits to answers: the best spans of each window, then of each question.

Evaluation, prediction and the served function all come through here.
"""

from typing import NamedTuple

import tensorflow as tf


class Spans(NamedTuple):
    """The best spans of contexts, the best first.

    Attributes:
        logits: float32 [questions, spans, 2], those of begin and end.
        scores: float32 [questions, spans], their sum; -inf where there are no more spans.
        chars: int32 [questions, spans, 2], begin and end in code points of the context.
        null: float32 [questions], the score of no answer, that of [CLS].
    """

    logits: tf.Tensor
    scores: tf.Tensor
    chars: tf.Tensor
    null: tf.Tensor

    def probabilities(self, has_null):
        """Shares out certainty among a question's spans and, with `has_null`, no answer.

        Returns:
            float32 [questions, spans], and [questions] for no answer: 0 without `has_null`.
        """
        null = self.null if has_null else tf.fill(tf.shape(self.null), float("-inf"))
        scores = tf.concat([null[:, tf.newaxis], self.scores], axis=1)  # [questions, 1 + spans]
        # Less the best one; where there is none at all, nothing is certain.
        best = tf.maximum(tf.reduce_max(scores, axis=1, keepdims=True), scores.dtype.min)
        shares = tf.exp(scores - best)
        shares = tf.math.divide_no_nan(shares, tf.reduce_sum(shares, axis=1, keepdims=True))
        return shares[:, 1:], shares[:, 0]

    def null_odds(self):
        """By how much no answer scores better than the best span: float32 [questions]."""
        return self.null - self.scores[:, 0]


def best_spans(logits, starts, max_answer_length, count):
    """Finds the best spans of windows, among all that there are.

    A span's score is the sum of two logits, that of its first token as begin and that of its last
    as end.

    Args:
        logits: ragged float32 [windows, (tokens), 2], begin and end.
        starts: int32 [windows, 2], from which token to which, exclusive, a span may begin.
        max_answer_length: tokens that a span may have.
        count: how many spans to keep.

    Returns:
        float32 [windows, 1 + count, 4]: logit of begin, logit of end, first token, last token. The
        first row is [CLS], which stands for no answer. Where there are fewer spans, logits are
        -inf.
    """
    lengths = tf.cast(logits.row_lengths(), tf.int32)  # [windows]
    dense = logits.to_tensor()  # [windows, length, 2]
    windows, length = tf.shape(dense)[0], tf.shape(dense)[1]
    position = tf.range(length)
    may_begin = (position >= starts[:, :1]) & (position < starts[:, 1:])
    may_end = position < lengths[:, tf.newaxis] - 1  # not at the last [SEP]
    nothing = tf.constant(float("-inf"))
    begin = tf.where(may_begin, dense[:, :, 0], nothing)  # [windows, length]
    end = tf.where(may_end, dense[:, :, 1], nothing)
    end = tf.pad(end, [[0, 0], [0, max_answer_length - 1]], constant_values=nothing)
    ends = tf.gather(end, position[:, tf.newaxis] + tf.range(max_answer_length), axis=1)
    scores = begin[:, :, tf.newaxis] + ends  # [windows, length, max_answer_length]
    scores = tf.reshape(scores, [windows, length * max_answer_length])
    found = tf.minimum(count, length * max_answer_length)
    scores, chosen = tf.math.top_k(scores, found)  # [windows, found]
    first = chosen // max_answer_length
    last = first + chosen % max_answer_length
    spans = tf.stack(
        [
            tf.gather(begin, first, batch_dims=1),
            tf.gather(end, last, batch_dims=1),
            tf.cast(first, tf.float32),
            tf.cast(last, tf.float32),
        ],
        axis=2,
    )  # [windows, found, 4]
    spans = tf.where(tf.math.is_finite(scores)[:, :, tf.newaxis], spans, nothing)
    spans = tf.pad(spans, [[0, 0], [0, count - found], [0, 0]], constant_values=nothing)
    null = tf.gather(logits.values, logits.row_starts())  # [windows, 2]
    null = tf.pad(null, [[0, 0], [0, 2]])[:, tf.newaxis]  # [windows, 1, 4]
    spans = tf.concat([null, spans], axis=1)
    return tf.ensure_shape(spans, [None, 1 + count, 4])


def merge_windows(found, windows, begins, ends, context_of):
    """Finds the best spans of questions among those of their windows.

    A question has no answer as far as the window says that finds it likeliest to have one.

    Args:
        found: float32 [windows, 1 + spans, 4], as `best_spans` gives it.
        windows: the `QuestionWindows` that they are of.
        begins: ragged int32 [contexts, (tokens)], where each token begins, in code points.
        ends: likewise, where it ends.
        context_of: int32 [questions], the context that each question is about.

    Returns:
        `Spans`, as many a question as there are of a window.
    """
    questions, count = tf.size(context_of), found.shape[1] - 1
    null = tf.math.unsorted_segment_min(
        tf.reduce_sum(found[:, 0, :2], axis=1), windows.question, questions
    )
    spans = tf.reshape(found[:, 1:], [-1, 4])  # [windows * spans, 4]
    question = tf.repeat(windows.question, count)
    shift = tf.repeat(windows.first - windows.before, count)  # from the example to the context

    # The best first, within each question.
    order = tf.argsort(-(spans[:, 0] + spans[:, 1]), stable=True)
    order = tf.gather(order, tf.argsort(tf.gather(question, order), stable=True))
    question, spans, shift = (tf.gather(values, order) for values in (question, spans, shift))
    rank = tf.range(tf.size(question)) - tf.searchsorted(question, question)
    kept = rank < count
    position = tf.boolean_mask(tf.stack([question, rank], axis=1), kept)
    spans, shift = tf.boolean_mask(spans, kept), tf.boolean_mask(shift, kept)
    logits = tf.scatter_nd(position, spans[:, :2], [questions, count, 2])

    # The codes of tokens, looked up in their contexts.
    is_span = tf.math.is_finite(spans[:, :1])
    tokens = tf.cast(tf.where(is_span, spans[:, 2:], 0), tf.int32) + shift[:, tf.newaxis]
    starts = tf.gather(begins.row_starts(), tf.gather(context_of, position[:, 0]))
    tokens = tf.where(is_span, tokens + tf.cast(starts, tf.int32)[:, tf.newaxis], 0)
    first = tf.gather(tf.concat([begins.values, [0]], 0), tokens[:, 0])
    last = tf.gather(tf.concat([ends.values, [0]], 0), tokens[:, 1])
    chars = tf.where(is_span, tf.stack([first, last], axis=1), 0)
    return Spans(
        logits,
        tf.reduce_sum(logits, axis=2),
        tf.scatter_nd(position, chars, [questions, count, 2]),
        null,
    )


def answer(spans, threshold):
    """Decides between the best span and no answer.

    Args:
        spans: `Spans`.
        threshold: how much better than the best span no answer must score to be the answer; None
            where every question has one, so that only a context of no tokens gives none.

    Returns:
        dict of [questions]: `start` and `end`, int32 code points of the context, the end exclusive,
        -1 for no answer; and `score`, float32, the probability of what is answered.
    """
    shares, null_share = spans.probabilities(threshold is not None)
    is_answered = tf.math.is_finite(spans.scores[:, 0])
    if threshold is not None:
        is_answered &= spans.null_odds() <= threshold
    return {
        "start": tf.where(is_answered, spans.chars[:, 0, 0], -1),
        "end": tf.where(is_answered, spans.chars[:, 0, 1], -1),
        "score": tf.where(is_answered, shares[:, 0], null_share),
    }
