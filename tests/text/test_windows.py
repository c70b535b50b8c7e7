import numpy as np
import pytest
import tensorflow as tf

from bert_keras.text import windows


def by_hand(lengths, max_tokens, step):
    """As the original's run_squad.py goes through a text: [(text, first, size)]."""
    spans = []
    for text, length in enumerate(lengths):
        first = 0
        while True:
            size = min(length - first, max_tokens[text])
            spans.append((text, first, size))
            if first + size == length:
                break
            first += min(step, max_tokens[text])
    return spans


def by_hand_has_most_context(spans):
    rows = []
    for text, first, size in spans:
        row = []
        for token in range(first, first + size):
            contexts = [
                min(token - f, f + s - 1 - token)
                for t, f, s in spans
                if t == text and f <= token < f + s
            ]
            others = [(f, s) for t, f, s in spans if t == text and f <= token < f + s]
            row.append(others[int(np.argmax(contexts))] == (first, size))
        rows.append(row)
    return rows


@pytest.mark.parametrize("step", [1, 3, 5, 100])
def test_windows_and_their_context_by_hand(step):
    lengths, max_tokens = [0, 1, 5, 6, 17, 40], [4, 4, 5, 5, 7, 9]
    cut = tf.function(lambda: windows.cut(tf.constant(lengths), tf.constant(max_tokens), step))()
    spans = [tuple(map(int, span)) for span in zip(*cut, strict=True)]
    assert spans == by_hand(lengths, max_tokens, step)
    most = windows.has_most_context(cut).to_list()
    assert most == by_hand_has_most_context(spans)
    assert sum(map(sum, most)) == sum(lengths)


def test_a_windows_tokens():
    texts = tf.ragged.constant([[1, 2, 3, 4, 5], [], [6]])
    cut = windows.cut(tf.constant([5, 0, 1]), 3, 2)
    assert windows.take(texts, cut).to_list() == [[1, 2, 3], [3, 4, 5], [], [6]]


def test_no_text_at_all():
    cut = windows.cut(tf.zeros([0], tf.int32), 3, 2)
    assert windows.take(tf.ragged.constant([], ragged_rank=1, dtype=tf.int32), cut).nrows() == 0
    assert windows.has_most_context(cut).nrows() == 0
