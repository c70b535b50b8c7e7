"""Decodes logits into answers: the best spans of each window, then of each question.

Evaluation, prediction and the served function share this code.
"""

from typing import NamedTuple

import tensorflow as tf

from bert_keras.tasks.question_answering.windows import QuestionWindows


class Spans(NamedTuple):
    """The best spans of each question's context, in descending order of their scores.

    Attributes:
        logits: float32 [questions, spans, 2], the logits of start and end.
        scores: float32 [questions, spans], their sum; -inf where there are no more spans.
        chars: int32 [questions, spans, 2], start and end in code points of the context.
        null: float32 [questions], the score of no answer, that of [CLS].
    """

    logits: tf.Tensor
    scores: tf.Tensor
    chars: tf.Tensor
    null: tf.Tensor

    def probabilities(self, has_null: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes the softmax of the scores of a question's spans.

        Args:
            has_null: whether no answer is one of the alternatives.

        Returns:
            float32 [questions, spans]; and [questions] for no answer, 0 without `has_null`.
        """
        null = self.null if has_null else tf.fill(tf.shape(self.null), float("-inf"))
        scores = tf.concat([null[:, tf.newaxis], self.scores], axis=1)  # [questions, 1 + spans]
        # Minus the best score; all are 0 where there is no span.
        best = tf.maximum(tf.reduce_max(scores, axis=1, keepdims=True), scores.dtype.min)
        shares = tf.exp(scores - best)
        shares = tf.math.divide_no_nan(shares, tf.reduce_sum(shares, axis=1, keepdims=True))
        return shares[:, 1:], shares[:, 0]

    def null_odds(self) -> tf.Tensor:
        """The score of no answer minus that of the best span: float32 [questions]."""
        return self.null - self.scores[:, 0]


def best_spans(
    logits: tf.RaggedTensor, starts: tf.Tensor, max_answer_length: int, count: int
) -> tf.Tensor:
    """Finds the best spans of each window.

    The score of a span is the start logit of its first token plus the end logit of its last token.

    Args:
        logits: ragged float32 [windows, (tokens), 2], of start and end.
        starts: int32 [windows, 2], the range of tokens at which a span may start, exclusive.
        max_answer_length: the most tokens of a span.
        count: the number of spans to keep.

    Returns:
        float32 [windows, 1 + count, 4]: start logit, end logit, first token, last token. The first
        row is [CLS], which means no answer. Where there are fewer spans, all four are -inf.
    """
    lengths = tf.cast(logits.row_lengths(), tf.int32)  # [windows]
    dense = logits.to_tensor()  # [windows, length, 2]
    windows, length = tf.shape(dense)[0], tf.shape(dense)[1]
    position = tf.range(length)
    may_start = (position >= starts[:, :1]) & (position < starts[:, 1:])
    may_end = position < lengths[:, tf.newaxis] - 1  # not at the last [SEP]
    impossible = tf.constant(float("-inf"))
    start = tf.where(may_start, dense[:, :, 0], impossible)  # [windows, length]
    end = tf.where(may_end, dense[:, :, 1], impossible)
    end = tf.pad(end, [[0, 0], [0, max_answer_length - 1]], constant_values=impossible)
    ends = tf.gather(end, position[:, tf.newaxis] + tf.range(max_answer_length), axis=1)
    scores = start[:, :, tf.newaxis] + ends  # [windows, length, max_answer_length]
    scores = tf.reshape(scores, [windows, length * max_answer_length])
    kept = tf.minimum(count, length * max_answer_length)
    scores, chosen = tf.math.top_k(scores, kept)  # [windows, kept]
    first = chosen // max_answer_length
    last = first + chosen % max_answer_length
    spans = tf.stack(
        [
            tf.gather(start, first, batch_dims=1),
            tf.gather(end, last, batch_dims=1),
            tf.cast(first, tf.float32),
            tf.cast(last, tf.float32),
        ],
        axis=2,
    )  # [windows, kept, 4]
    spans = tf.where(tf.math.is_finite(scores)[:, :, tf.newaxis], spans, impossible)
    spans = tf.pad(spans, [[0, 0], [0, count - kept], [0, 0]], constant_values=impossible)
    null = tf.gather(logits.values, logits.row_starts())  # [windows, 2]
    null = tf.pad(null, [[0, 0], [0, 2]])[:, tf.newaxis]  # [windows, 1, 4]
    spans = tf.concat([null, spans], axis=1)
    return tf.ensure_shape(spans, [None, 1 + count, 4])


def merge_windows(
    spans: tf.Tensor,
    windows: QuestionWindows,
    starts: tf.RaggedTensor,
    ends: tf.RaggedTensor,
    context_of: tf.Tensor,
) -> Spans:
    """Merges the best spans of each question's windows.

    The score of no answer is the lowest of the question's windows, as in google-research/bert.

    Args:
        spans: float32 [windows, 1 + spans, 4], what `best_spans` returned.
        windows: the windows.
        starts: ragged int32 [contexts, (tokens)], the code point at which each token starts.
        ends: likewise, the code point after it.
        context_of: int32 [questions], the index of each question's context.

    Returns:
        As many spans of each question as there are of a window.
    """
    questions, count = tf.size(context_of), spans.shape[1] - 1
    null = tf.math.unsorted_segment_min(
        tf.reduce_sum(spans[:, 0, :2], axis=1), windows.question, questions
    )
    spans = tf.reshape(spans[:, 1:], [-1, 4])  # [windows * spans, 4]
    question = tf.repeat(windows.question, count)
    shift = tf.repeat(windows.first - windows.before, count)  # from the example to the context

    # In descending order within each question.
    order = tf.argsort(-(spans[:, 0] + spans[:, 1]), stable=True)
    order = tf.gather(order, tf.argsort(tf.gather(question, order), stable=True))
    question, spans, shift = (tf.gather(values, order) for values in (question, spans, shift))
    rank = tf.range(tf.size(question)) - tf.searchsorted(question, question)
    kept = rank < count
    position = tf.boolean_mask(tf.stack([question, rank], axis=1), kept)
    spans, shift = tf.boolean_mask(spans, kept), tf.boolean_mask(shift, kept)
    logits = tf.scatter_nd(position, spans[:, :2], [questions, count, 2])

    # From tokens to code points of the contexts.
    is_span = tf.math.is_finite(spans[:, :1])
    tokens = tf.cast(tf.where(is_span, spans[:, 2:], 0), tf.int32) + shift[:, tf.newaxis]
    first_tokens = tf.gather(starts.row_starts(), tf.gather(context_of, position[:, 0]))
    tokens = tf.where(is_span, tokens + tf.cast(first_tokens, tf.int32)[:, tf.newaxis], 0)
    first = tf.gather(tf.concat([starts.values, [0]], 0), tokens[:, 0])
    last = tf.gather(tf.concat([ends.values, [0]], 0), tokens[:, 1])
    chars = tf.where(is_span, tf.stack([first, last], axis=1), 0)
    return Spans(
        logits,
        tf.reduce_sum(logits, axis=2),
        tf.scatter_nd(position, chars, [questions, count, 2]),
        null,
    )


def decide(spans: Spans, threshold: float | None) -> dict[str, tf.Tensor]:
    """Decides between the best span and no answer.

    Args:
        spans: the best spans of questions.
        threshold: the answer is none where `Spans.null_odds` is above; None where every question
            has an answer, so that only a context without tokens gives none.

    Returns:
        dict of [questions]: `start` and `end`, int32 code points of the context, the end exclusive,
        -1 for no answer; and `score`, float32, the probability of the span or of no answer.
    """
    shares, null_share = spans.probabilities(threshold is not None)
    has_answer = tf.math.is_finite(spans.scores[:, 0])
    if threshold is not None:
        has_answer &= spans.null_odds() <= threshold
    return {
        "start": tf.where(has_answer, spans.chars[:, 0, 0], -1),
        "end": tf.where(has_answer, spans.chars[:, 0, 1], -1),
        "score": tf.where(has_answer, shares[:, 0], null_share),
    }
