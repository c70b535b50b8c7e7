import numpy as np
import pytest
import tensorflow as tf

from bert_keras.tasks.tagging.windows import merge, split, window_texts
from bert_keras.text.tokenizer import BertTokenizer

TEXTS = ["a b c d e f g h", "", "c a b"]


@pytest.fixture(scope="module")
def windowed():
    tokenizer = BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"])
    return window_texts(tokenizer, TEXTS, max_length=6)  # room for 4 tokens, a step of 2


def test_windows_are_framed_and_overlap_by_half(windowed):
    a = 5
    assert windowed.examples.token_ids.to_list() == [
        [2, a, a + 1, a + 2, a + 3, 3],
        [2, a + 2, a + 3, a + 4, a + 5, 3],
        [2, a + 4, a + 5, a + 6, a + 7, 3],
        [2, 3],
        [2, a + 2, a, a + 1, 3],
    ]
    assert windowed.examples.segment_ids.row_lengths().numpy().tolist() == [6, 6, 6, 2, 5]
    assert windowed.examples.truncated == 0
    assert windowed.starts.to_list()[2] == [0, 2, 4]


def test_each_token_has_one_window(windowed):
    numbers = windowed.ids.with_values(tf.range(11))
    labels = split(numbers, windowed.windows).numpy()
    assert sorted(labels[labels >= 0]) == list(range(11))
    assert labels.shape == (5, 6)
    assert (labels[:, 0] == -1).all() and (labels[[0, 1, 2], -1] == -1).all()
    # The token "d" is at the end of the first window and second in the next.
    assert 3 not in labels[0] and labels[1, 2] == 3


def test_what_windows_say_is_put_together_again(windowed):
    ids = windowed.examples.token_ids
    said = ids.with_values(tf.stack([tf.cast(ids.value_rowids(), tf.int32), ids.values], axis=1))
    merged = merge(said, windowed.windows).numpy()
    np.testing.assert_array_equal(merged[:, 1], windowed.ids.values)
    assert merged[:, 0].tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 4, 4, 4]
