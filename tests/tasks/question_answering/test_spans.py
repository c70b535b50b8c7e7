import itertools

import numpy as np
import tensorflow as tf

from bert_keras.tasks.question_answering.spans import best_spans, decide, merge_windows
from bert_keras.tasks.question_answering.windows import QuestionWindows

INF = float("inf")
RANDOM = np.random.default_rng(0)


def by_hand(logits, starts, longest):
    """All spans of a window, the best first: (score, first, last)."""
    count = len(logits)
    found = [
        (logits[i, 0] + logits[j, 1], i, j)
        for i, j in itertools.product(range(count - 1), repeat=2)
        if starts[0] <= i < starts[1] and i <= j < i + longest
    ]
    return sorted(found, key=lambda span: (-span[0], span[1:]))


def test_the_best_of_all_spans_are_found():
    lengths, starts, longest, count = [12, 7, 9], [[3, 9], [5, 6], [4, 4]], 4, 15
    logits = [RANDOM.normal(size=(length, 2)).astype(np.float32) for length in lengths]
    ragged = tf.ragged.constant(logits, tf.float32, ragged_rank=1, inner_shape=(2,))
    found = best_spans(ragged, tf.constant(starts), longest, count).numpy()
    assert found.shape == (3, 16, 4)
    for window in range(3):
        expected = by_hand(logits[window], starts[window], longest)[:count]
        spans = found[window, 1 : 1 + len(expected)]
        np.testing.assert_array_equal(
            spans[:, 2:], [span[1:] for span in expected] or np.zeros((0, 2))
        )
        np.testing.assert_allclose(spans[:, :2].sum(1), [span[0] for span in expected], rtol=1e-5)
        assert np.all(found[window, 1 + len(expected) :] == -INF)  # there are no more
        np.testing.assert_array_equal(found[window, 0], [*logits[window][0], 0, 0])
    assert (
        len(by_hand(logits[0], starts[0], longest)) > count > len(by_hand(logits[1], starts[1], 4))
    )


def test_one_token_is_the_longest_answer_where_that_is_asked():
    logits = tf.ragged.constant([RANDOM.normal(size=(6, 2))], tf.float32, ragged_rank=1)
    found = best_spans(logits, tf.constant([[2, 5]]), 1, 3).numpy()[0, 1:]
    np.testing.assert_array_equal(found[:, 2], found[:, 3])
    assert sorted(found[:, 2]) == [2, 3, 4]


def test_no_windows_no_spans():
    none = tf.RaggedTensor.from_row_splits(tf.zeros([0, 2]), [0])
    assert best_spans(none, tf.zeros([0, 2], tf.int32), 5, 4).shape == (0, 5, 4)


# Two questions about one context of 6 tokens, "ab" each; the first in two windows, the second, of
# another context of none, in one.
STARTS = tf.ragged.constant([[], [0, 3, 6, 9, 12, 15]], tf.int32)
ENDS = tf.ragged.constant([[], [2, 5, 8, 11, 14, 17]], tf.int32)
WINDOWS = QuestionWindows(
    None,
    None,
    question=tf.constant([0, 0, 1, 2]),
    before=tf.constant([4, 4, 3, 5]),
    first=tf.constant([0, 2, 0, 0]),
    starts=None,
)
CONTEXT_OF = tf.constant([1, 0, 1])
NONE = [-INF] * 4


def merged():
    found = tf.constant(
        [
            [[1, 1, 0, 0], [3, 2, 4, 5], [0.5, 0.5, 5, 5], NONE],
            [[0.5, 0.25, 0, 0], [4, 0.5, 6, 7], [2, 1, 5, 7], [1, 1, 7, 7]],
            [[2, 2, 0, 0], NONE, NONE, NONE],
            [[-1, -1, 0, 0], [1, 2, 5, 10], NONE, NONE],
        ],
        tf.float32,
    )
    return merge_windows(found, WINDOWS, STARTS, ENDS, CONTEXT_OF)


def test_windows_are_merged():
    spans = merged()
    np.testing.assert_array_equal(spans.scores, [[5, 4.5, 3], [-INF, -INF, -INF], [3, -INF, -INF]])
    np.testing.assert_array_equal(spans.logits[0], [[3, 2], [4, 0.5], [2, 1]])
    # Token 4 of the first window is token 0 of the context; token 6 of the second is token 4.
    np.testing.assert_array_equal(spans.chars[0], [[0, 5], [12, 17], [9, 17]])
    np.testing.assert_array_equal(spans.chars[2, 0], [0, 17])
    np.testing.assert_array_equal(spans.null, [0.75, 4, -2])  # the smallest of the windows


def test_probabilities_are_shared_by_what_there_is():
    shares, null = (part.numpy() for part in merged().probabilities(has_null=False))
    expected = np.exp([5, 4.5, 3]) / np.exp([5, 4.5, 3]).sum()
    np.testing.assert_allclose(shares, [expected, [0, 0, 0], [1, 0, 0]], rtol=1e-5)
    assert null.tolist() == [0, 0, 0]
    shares, null = (part.numpy() for part in merged().probabilities(has_null=True))
    np.testing.assert_allclose(shares.sum(1) + null, 1, rtol=1e-5)
    np.testing.assert_allclose(null[1:], [1, np.exp(-2) / (np.exp(-2) + np.exp(3))], rtol=1e-5)


def decided(threshold):
    return {name: values.numpy().tolist() for name, values in decide(merged(), threshold).items()}


def test_every_question_has_an_answer_where_its_context_has_tokens():
    found = decided(None)
    assert found["start"] == [0, -1, 0] and found["end"] == [5, -1, 17]
    assert found["score"][1:] == [0, 1]


def test_no_answer_is_given_above_the_threshold():
    odds = merged().null_odds().numpy()
    np.testing.assert_array_equal(odds, [0.75 - 5, INF, -5])
    null = merged().probabilities(True)[1].numpy()
    found = decided(-4.25)  # as good is not above
    assert found["end"] == [5, -1, 17]
    found = decided(-4.5)
    assert found["start"] == [*found["end"][:2], 0] == [-1, -1, 0]
    np.testing.assert_allclose(found["score"][:2], null[:2], rtol=1e-6)
    assert decided(-6.0)["end"] == [-1, -1, -1]
