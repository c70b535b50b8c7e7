"""The function that serves answers: strings in, exact pieces of strings out."""

import tensorflow as tf

from bert_keras.data.packing import pack, unpack
from bert_keras.tasks.question_answering.spans import answer, best_spans, merge_windows
from bert_keras.tasks.question_answering.windows import question_windows

_WINDOWS = 32  # computed at a time, so that memory does not grow with the context


def of_question(model, tokenizer, sizes, max_answer_length, n_best, threshold):
    """From questions and contexts of any length to answers.

    Args:
        model: takes the encoder's inputs and gives [rows, length, 2].
        tokenizer: a `BertTokenizer`.
        sizes: `WindowSizes`.
        max_answer_length, n_best: see `best_spans`.
        threshold: see `bert_keras.tasks.question_answering.spans.answer`.

    Returns:
        A `tf.function` of strings [batch], `question` and `context`, that gives [batch] each:
        `answer`, the piece of the context from code point `start` to `end`, exclusive, and `score`,
        its probability among the best spans; "", -1 and -1 where there is no answer.
    """
    names = ("question", "context")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name) for name in names])
    def serve(question, context):
        tokens, begins, ends = tokenizer.tokenize_with_offsets(context)
        context_of = tf.range(tf.size(context))
        windows = question_windows(
            tokenizer.tokenize(question), tokens, context_of, sizes, tokenizer
        )
        found = _in_turns(
            windows, 1 + n_best, lambda some: _answer(model, some, max_answer_length, n_best)
        )
        spans = merge_windows(found, windows, begins, ends, context_of)
        decided = answer(spans, threshold)
        # Bytes that are no UTF-8 count in offsets as what stands for them here.
        text = tf.strings.unicode_transcode(context, "UTF-8", "UTF-8")
        begin = tf.maximum(decided["start"], 0)
        size = tf.maximum(decided["end"], 0) - begin
        return {"answer": tf.strings.substr(text, begin, size, unit="UTF8_CHAR")} | decided

    return serve


def _in_turns(windows, rows, answers):
    """Answers windows, a few at a time, one turn after the other.

    Returns:
        float32 [windows, rows, 4].
    """
    count = tf.size(windows.question)

    def turn(first, found):
        some = tf.range(first, tf.minimum(first + _WINDOWS, count))
        chosen = type(windows)(*(tf.gather(column, some) for column in windows))
        return first + _WINDOWS, tf.concat([found, answers(chosen)], axis=0)

    _, found = tf.while_loop(
        lambda first, _: first < count,
        turn,
        (0, tf.zeros([0, rows, 4])),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, rows, 4])),
        parallel_iterations=1,
    )
    return found


def _answer(model, windows, max_answer_length, n_best):
    inputs, order = pack(windows.token_ids, windows.segment_ids)
    logits = unpack(model(inputs, training=False), inputs["example_ids"])
    found = best_spans(logits, tf.gather(windows.starts, order), max_answer_length, n_best)
    return tf.gather(found, tf.argsort(order))  # as the windows are ordered
