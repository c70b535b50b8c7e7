"""The function that serves question answering: strings in, pieces of the contexts out."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bert_keras.data.packing import pack, unpack
from bert_keras.tasks.question_answering.sizes import WindowSizes
from bert_keras.tasks.question_answering.spans import best_spans, decide, merge_windows
from bert_keras.tasks.question_answering.windows import QuestionWindows, question_windows
from bert_keras.text.tokenizer import BertTokenizer

_WINDOWS = 32  # computed at a time, so that memory does not grow with the context


def of_question(
    model: Callable[..., Any],
    tokenizer: BertTokenizer,
    sizes: WindowSizes,
    max_answer_length: int,
    n_best: int,
    threshold: float | None,
) -> Callable[..., Any]:
    """Makes the function from questions and contexts of any length to answers.

    Args:
        model: takes the encoder's inputs and returns [rows, length, 2].
        tokenizer: the tokenizer.
        sizes: the sizes of an example.
        max_answer_length: see `best_spans`.
        n_best: the number of spans whose probabilities sum to 1.
        threshold: see `decide`.

    Returns:
        A `tf.function` of strings [batch], `question` and `context`. It returns a dict of [batch]:
        `answer`, the piece of the context from code point `start` to `end`, exclusive, and `score`,
        its probability among the best spans; "", -1 and -1 where there is no answer.
    """
    names = ("question", "context")

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, name) for name in names], autograph=False
    )
    def serve(question: tf.Tensor, context: tf.Tensor) -> dict[str, tf.Tensor]:
        tokens, starts, ends = tokenizer.tokenize_with_offsets(context)
        context_of = tf.range(tf.size(context))
        windows = question_windows(
            tokenizer.tokenize(question), tokens, context_of, sizes, tokenizer
        )
        spans = _in_turns(
            windows, 1 + n_best, lambda some: _spans_of(model, some, max_answer_length, n_best)
        )
        decided = decide(merge_windows(spans, windows, starts, ends, context_of), threshold)
        # Offsets count each invalid byte as the replacement character that it becomes here.
        text = tf.strings.unicode_transcode(context, "UTF-8", "UTF-8")
        start = tf.maximum(decided["start"], 0)
        size = tf.maximum(decided["end"], 0) - start
        return {"answer": tf.strings.substr(text, start, size, unit="UTF8_CHAR")} | decided

    return serve


def _in_turns(
    windows: QuestionWindows, rows: int, compute: Callable[[QuestionWindows], tf.Tensor]
) -> tf.Tensor:
    """Computes the best spans of windows, a few windows at a time.

    Returns:
        float32 [windows, rows, 4].
    """
    count = tf.size(windows.question)

    def turn(first: tf.Tensor, spans: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        some = tf.range(first, tf.minimum(first + _WINDOWS, count))
        chosen = QuestionWindows(*(tf.gather(column, some) for column in windows))
        return first + _WINDOWS, tf.concat([spans, compute(chosen)], axis=0)

    _, spans = tf.while_loop(
        lambda first, _: first < count,
        turn,
        (0, tf.zeros([0, rows, 4])),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, rows, 4])),
        parallel_iterations=1,
    )
    return spans


def _spans_of(
    model: Callable[..., Any], windows: QuestionWindows, max_answer_length: int, n_best: int
) -> tf.Tensor:
    inputs, order = pack(windows.token_ids, windows.segment_ids)
    logits = unpack(model(inputs, training=False), inputs["example_ids"])
    spans = best_spans(logits, tf.gather(windows.starts, order), max_answer_length, n_best)
    return tf.gather(spans, tf.argsort(order))  # in the order of the windows
