"""Questions with windows of the texts they are about: [CLS] question [SEP] window [SEP]."""

from typing import NamedTuple

import tensorflow as tf

from bert_keras.text import windows as cutting
from bert_keras.text.framing import frame

SPECIALS = 3  # [CLS], [SEP], [SEP]


class WindowSizes(NamedTuple):
    """How much is read at a time.

    Attributes:
        max_length: tokens of an example, special tokens included.
        max_question_length: tokens of a question; longer ones are cut.
        stride: tokens between the beginnings of two windows of a context.
    """

    max_length: int
    max_question_length: int
    stride: int


class QuestionWindows(NamedTuple):
    """What the encoder reads to answer questions, an example a window.

    Attributes:
        token_ids: ragged int32 [windows, (tokens)].
        segment_ids: ragged int32 [windows, (tokens)].
        question: int32 [windows], the question that a window belongs to, ascending.
        before: int32 [windows], tokens of the example before those of the window.
        first: int32 [windows], which token of the context the window begins with.
        starts: int32 [windows, 2], from which token of the example to which, exclusive, an answer
            may begin: those that no other window shows in more context.
    """

    token_ids: tf.RaggedTensor
    segment_ids: tf.RaggedTensor
    question: tf.Tensor
    before: tf.Tensor
    first: tf.Tensor
    starts: tf.Tensor


def question_windows(questions, contexts, context_of, sizes, tokenizer):
    """Lays out questions and contexts as examples, in graph operations.

    Args:
        questions: ragged int32 [questions, (tokens)], without special tokens.
        contexts: ragged int32 [contexts, (tokens)], likewise.
        context_of: int32 [questions], the context that each question is about.
        sizes: `WindowSizes`.
        tokenizer: for the ids of its special tokens.

    Returns:
        `QuestionWindows`. Every question has one at least, even about a context of no tokens.
    """
    questions = questions[:, : sizes.max_question_length]
    asked = tf.cast(questions.row_lengths(), tf.int32)  # [questions]
    lengths = tf.gather(tf.cast(contexts.row_lengths(), tf.int32), context_of)  # [questions]
    room = sizes.max_length - SPECIALS - asked  # [questions]
    windows = cutting.cut(lengths, room, sizes.stride)
    of_context = windows._replace(text=tf.gather(context_of, windows.text))
    framed = frame(
        tf.gather(questions, windows.text),
        cutting.take(contexts, of_context),
        sizes.max_length - SPECIALS,
        tokenizer.cls_id,
        tokenizer.sep_id,
    )
    before = tf.gather(asked, windows.text) + 2  # [windows], [CLS] question [SEP]
    return QuestionWindows(
        framed["token_ids"],
        framed["segment_ids"],
        windows.text,
        before,
        windows.first,
        _own_tokens(windows) + before[:, tf.newaxis],
    )


def _own_tokens(windows):
    """The run of a window's tokens that no other window shows in more context.

    It is one run, for a token's context falls off evenly to both sides of its window's middle.

    Returns:
        int32 [windows, 2], the first and the one after the last.
    """
    own = cutting.has_most_context(windows)  # [windows, (tokens)]
    position = tf.ragged.range(windows.size).values  # [tokens]
    window = tf.boolean_mask(own.value_rowids(), own.values)
    position = tf.boolean_mask(position, own.values)
    count = tf.size(windows.size)
    first = tf.math.unsorted_segment_min(position, window, count)
    last = tf.math.unsorted_segment_max(position, window, count)
    # A window without any gets the limits of int32, which the next line turns into none.
    first = tf.minimum(first, windows.size)
    return tf.stack([first, tf.maximum(last + 1, first)], axis=1)
