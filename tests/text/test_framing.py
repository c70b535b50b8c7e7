import itertools

import pytest
import tensorflow as tf
from reference_tokenizer import truncate_pair

from bert_keras.text.framing import frame

CLS, SEP = 101, 102


def ragged(rows):
    return tf.ragged.constant(rows, tf.int32, ragged_rank=1)


def test_one_sequence():
    framed = frame(ragged([[1, 2, 3], [], [4]]), None, 2, CLS, SEP)
    assert framed["token_ids"].to_list() == [[CLS, 1, 2, SEP], [CLS, SEP], [CLS, 4, SEP]]
    assert framed["segment_ids"].to_list() == [[0] * 4, [0] * 2, [0] * 3]
    assert framed["truncated"].numpy().tolist() == [1, 0, 0]


@pytest.mark.parametrize("max_tokens", [0, 1, 2, 5, 8, 40])
def test_pairs_are_truncated_as_by_the_original(max_tokens):
    pairs = [
        (list(range(first)), list(range(50, 50 + second)))
        for first, second in itertools.product(range(9), range(9))
    ]
    framed = frame(*(ragged(rows) for rows in zip(*pairs, strict=True)), max_tokens, CLS, SEP)
    rows = (framed[name].to_list() for name in ("token_ids", "segment_ids"))
    truncated = framed["truncated"].numpy()
    for index, (ids, segments) in enumerate(zip(*rows, strict=True)):
        first, second = pairs[index]
        full = len(first) + len(second)
        truncate_pair(first, second, max_tokens)
        assert ids == [CLS, *first, SEP, *second, SEP]
        assert segments == [0] * (len(first) + 2) + [1] * (len(second) + 1)
        assert truncated[index] == full - len(first) - len(second)


def test_empty_batch():
    framed = frame(ragged([]), ragged([]), 5, CLS, SEP)
    assert framed["token_ids"].to_list() == [] and framed["truncated"].shape == [0]
