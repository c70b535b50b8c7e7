import itertools

import numpy as np
import pytest
import tensorflow as tf

from bert_keras.tasks.tagging.decoding import best_tags, find_entities


def is_possible(tags):
    """Whether an "I" is nowhere but behind a "B" or an "I" of its type."""
    return all(
        tag == 0 or tag % 2 == 1 or before in (tag - 1, tag)
        for before, tag in itertools.pairwise([0, *tags])
    )


def log_probs(numbers):
    return tf.nn.log_softmax(tf.constant(numbers, tf.float32))


def ragged(values, lengths):
    return tf.RaggedTensor.from_row_lengths(values, lengths)


@pytest.mark.parametrize("spread", [0.5, 2.0, 6.0])
def test_the_best_of_all_possible_sequences(spread):
    random = np.random.default_rng(3)
    lengths = [4, 0, 1, 5, 3, 0]
    for types in (1, 2):
        numbers = log_probs(random.normal(size=(sum(lengths), 2 * types + 1)) * spread)
        found = best_tags(ragged(numbers, lengths)).numpy()
        assert not is_possible(numbers.numpy().argmax(axis=1))  # else there was nothing to do
        end = 0
        for length in lengths:
            part, answer = numbers.numpy()[end : end + length], found[end : end + length]
            end += length
            ways = itertools.product(range(2 * types + 1), repeat=length)
            best = max(
                (way for way in ways if is_possible(way)),
                key=lambda way: sum(row[tag] for row, tag in zip(part, way, strict=True)),
            )
            assert answer.tolist() == list(best)


def test_a_word_in_doubt_follows_from_the_whole_sentence():
    # Alone, the first word is O; what comes makes it the first of an entity.
    numbers = np.log([[0.6, 0.4, 1e-9], [0.2, 0.1, 0.7], [0.2, 0.1, 0.7]])
    assert best_tags(ragged(log_probs(numbers), [3])).numpy().tolist() == [1, 2, 2]
    one_by_one = best_tags(ragged(log_probs(numbers), [1, 1, 1])).numpy()
    assert one_by_one.tolist() == [0, 0, 0]


def test_long_texts_in_a_graph():
    """A run as long as the text, and a text of many short ones."""
    count = 500
    function = tf.function(best_tags)
    forced = np.tile([[0.0, 0.0, 9.0]], (count, 1))
    forced[0] = [0.1, 0.0, 9.0]
    found = function(ragged(log_probs(forced), [count])).numpy()
    assert found.tolist() == [1] + [2] * (count - 1)
    random = np.random.default_rng(0).normal(size=(count, 9)) * 4
    assert is_possible(function(ragged(log_probs(random), [count])).numpy())


def test_entities_of_texts():
    tags = [1, 2, 0, 3, 3, 4, 4, 1]
    numbers = log_probs(8 * np.eye(5)[tags] + np.arange(8)[:, None] * 0.1 * np.eye(5)[tags])
    found_tags, found = find_entities(ragged(numbers, [3, 0, 4, 1]))
    assert found_tags.numpy().tolist() == tags
    assert found.type.to_list() == [[0], [], [1, 1], [0]]
    assert found.first.to_list() == [[0], [], [3, 4], [7]]
    assert found.last.to_list() == [[1], [], [3, 6], [7]]
    sure = np.exp(numbers.numpy()[range(8), tags])
    means = [sure[:2].mean(), sure[3], sure[4:7].mean(), sure[7]]
    np.testing.assert_allclose(found.score.values, means, rtol=1e-5)


@pytest.mark.parametrize("lengths", [[], [0], [0, 0]])
def test_no_words_no_entities(lengths):
    tags, found = find_entities(ragged(tf.zeros([0, 5]), tf.constant(lengths, tf.int64)))
    assert tags.shape == (0,)
    assert all(column.to_list() == [[]] * len(lengths) for column in found)
