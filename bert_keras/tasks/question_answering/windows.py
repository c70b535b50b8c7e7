"""Questions with windows of their contexts: [CLS] question [SEP] window [SEP]."""

from typing import NamedTuple

import tensorflow as tf

from bert_keras.tasks.question_answering.sizes import SPECIALS, WindowSizes
from bert_keras.text.framing import frame
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.text.windows import Windows, cut, has_most_context, take


class QuestionWindows(NamedTuple):
    """The encoder's examples for questions. An example is a question with a window of its context.

    Attributes:
        token_ids: ragged int32 [windows, (tokens)].
        segment_ids: ragged int32 [windows, (tokens)].
        question: int32 [windows], the index of the window's question, ascending.
        before: int32 [windows], the number of tokens of the example before those of the window.
        first: int32 [windows], the index in the context of the window's first token.
        starts: int32 [windows, 2], the range of tokens of the example, the end exclusive, at which
            an answer may start: those that have their most context in this window.
    """

    token_ids: tf.RaggedTensor
    segment_ids: tf.RaggedTensor
    question: tf.Tensor
    before: tf.Tensor
    first: tf.Tensor
    starts: tf.Tensor


def question_windows(
    questions: tf.RaggedTensor,
    contexts: tf.RaggedTensor,
    context_of: tf.Tensor,
    sizes: WindowSizes,
    tokenizer: BertTokenizer,
) -> QuestionWindows:
    """Builds the examples for questions, in graph operations.

    Args:
        questions: ragged int32 [questions, (tokens)], without special tokens.
        contexts: ragged int32 [contexts, (tokens)], likewise.
        context_of: int32 [questions], the index of each question's context.
        sizes: the sizes of an example.
        tokenizer: the tokenizer, for the ids of its special tokens.

    Returns:
        The examples. Each question has at least one, even if its context has no tokens.
    """
    questions = questions[:, : sizes.max_question_length]
    question_lengths = tf.cast(questions.row_lengths(), tf.int32)  # [questions]
    lengths = tf.gather(tf.cast(contexts.row_lengths(), tf.int32), context_of)  # [questions]
    max_tokens = sizes.max_length - SPECIALS - question_lengths  # [questions]
    windows = cut(lengths, max_tokens, sizes.stride)
    of_contexts = windows._replace(text=tf.gather(context_of, windows.text))
    framed = frame(
        tf.gather(questions, windows.text),
        take(contexts, of_contexts),
        sizes.max_length - SPECIALS,
        tokenizer.cls_id,
        tokenizer.sep_id,
    )
    before = tf.gather(question_lengths, windows.text) + 2  # [windows], [CLS] question [SEP]
    return QuestionWindows(
        framed["token_ids"],
        framed["segment_ids"],
        windows.text,
        before,
        windows.first,
        _own_tokens(windows) + before[:, tf.newaxis],
    )


def _own_tokens(windows: Windows) -> tf.Tensor:
    """Returns the range of each window's tokens that have their most context in it.

    It is one range, because a token's context decreases evenly to both sides of the middle of the
    window.

    Returns:
        int32 [windows, 2], the first and the one after the last.
    """
    own = has_most_context(windows)  # [windows, (tokens)]
    position = tf.ragged.range(windows.size).values  # [tokens]
    window = tf.boolean_mask(own.value_rowids(), own.values)
    position = tf.boolean_mask(position, own.values)
    count = tf.size(windows.size)
    first = tf.math.unsorted_segment_min(position, window, count)
    last = tf.math.unsorted_segment_max(position, window, count)
    # For a window without such tokens these are the limits of int32; the range becomes empty.
    first = tf.minimum(first, windows.size)
    return tf.stack([first, tf.maximum(last + 1, first)], axis=1)
