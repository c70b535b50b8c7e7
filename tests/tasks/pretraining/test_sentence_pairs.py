import numpy as np
import pytest
import tensorflow as tf

from bert_keras.tasks.pretraining.sentence_pairs import exchange, next_sentences, sentence_orders


@tf.function(
    input_signature=[
        tf.TensorSpec([None], tf.int64),
        tf.TensorSpec([None], tf.int64),
        tf.TensorSpec([2], tf.int32),
    ]
)
def quick_exchange(*args):
    return exchange(*args)


def partners(lengths, documents, seed=0):
    """With whom each exchanges, having checked that it is mutual and allowed."""
    documents = np.array(documents)
    partner = quick_exchange(
        tf.constant(lengths, tf.int64),
        tf.constant(documents, tf.int64),
        tf.constant([seed, 1]),
    ).numpy()
    np.testing.assert_array_equal(partner[partner], np.arange(len(partner)))
    exchanged = partner != np.arange(len(partner))
    assert (documents[partner] != documents)[exchanged].all()
    return partner


@pytest.mark.parametrize("count", [64, 61, 30])
def test_half_of_all_exchange(count):
    shares = []
    for seed in range(50):
        random = np.random.default_rng(seed)
        partner = partners(random.integers(1, 100, count), random.integers(0, 12, count), seed)
        shares.append(np.mean(partner != np.arange(count)))
    assert abs(np.mean(shares) - 0.5) < 0.02
    assert np.ptp(shares) <= 2 / count + 1e-9


def test_of_equal_lengths_nearly():
    random = np.random.default_rng(0)
    lengths = random.integers(1, 100, 128)
    partner = partners(lengths, random.integers(0, 12, 128))
    assert np.abs(lengths[partner] - lengths).max() < 12


def test_where_most_are_of_one_document():
    shares = []
    for seed in range(50):
        random = np.random.default_rng(seed)
        documents = (np.arange(64) >= 50) * np.arange(64)  # 14 others, so 28 could exchange
        partner = partners(random.integers(1, 100, 64), random.permutation(documents), seed)
        shares.append(np.sum(partner != np.arange(64)))
    assert np.mean(shares) > 22


def test_chances_are_even():
    count = np.zeros(20)
    for seed in range(400):
        count += partners(np.arange(1, 21), np.arange(20) // 2, seed) != np.arange(20)
    assert np.abs(count / 400 - 0.5).max() < 0.15


def test_small_batches():
    assert partners([], []).tolist() == []
    assert partners([5], [1]).tolist() == [0]
    assert partners([5, 6, 7], [1, 1, 1]).tolist() == [0, 1, 2]
    assert partners([5, 0], [1, 2]).tolist() == [0, 1]  # who has nothing keeps it
    pairs = [partners([5, 6], [1, 2], seed).tolist() for seed in range(100)]
    assert 30 < pairs.count([1, 0]) < 70 and pairs.count([0, 1]) == 100 - pairs.count([1, 0])


HALVES = tf.ragged.constant([[10 * n + half] * (n % 3) for n in range(40) for half in (1, 2)])


def test_next_sentences():
    halves = HALVES.to_list()
    documents = tf.range(40, dtype=tf.int64) // 4
    first, second, is_next = next_sentences(HALVES, documents, [1, 2])
    assert first.to_list() == halves[::2]
    assert sorted(second.to_list()) == sorted(halves[1::2])
    for number, (text, truth) in enumerate(zip(second.to_list(), is_next.numpy(), strict=True)):
        assert truth == (text == halves[2 * number + 1])
    assert 0 < np.mean(is_next) < 1


def test_sentence_orders():
    halves = HALVES.to_list()
    truths = []
    for seed in range(50):
        first, second, is_next = sentence_orders(HALVES, [seed, 2])
        for number, (a, b, truth) in enumerate(
            zip(first.to_list(), second.to_list(), is_next.numpy(), strict=True)
        ):
            pair = halves[2 * number : 2 * number + 2]
            assert [a, b] == (pair if truth else pair[::-1])
            if b:
                truths.append(truth)
    assert abs(np.mean(truths) - 0.5) < 0.05
