import itertools

import numpy as np
import pytest
import tensorflow as tf

from bert_keras.data.batches import (
    EncodedExamples,
    LabelledExamples,
    encode,
    evaluation_batches,
    training_batches,
)
from bert_keras.data.epochs import steps_per_epoch
from bert_keras.text.tokenizer import BertTokenizer


def make(lengths):
    """Examples whose tokens are their number, counted from 1."""
    token_ids = tf.ragged.constant([[i] * n for i, n in enumerate(lengths, 1)], tf.int32)
    return EncodedExamples(token_ids, token_ids * 0, truncated=0)


EXAMPLES = make([3, 9, 2, 5, 4, 4, 7, 2, 3, 6])
TARGETS = {"labels": np.arange(10, dtype=np.int32) * 10, "weights": np.arange(10.0) / 10}


def draw(count, batch_size=4, seed=0, first_step=0):
    batches = training_batches(EXAMPLES, TARGETS, batch_size, seed, first_step)
    return list(itertools.islice(batches.as_numpy_iterator(), count))


def flat(batch):
    return {**batch["inputs"], **{k: v for k, v in batch.items() if k != "inputs"}}


def assert_same(batch, other):
    for name, values in flat(batch).items():
        np.testing.assert_array_equal(values, flat(other)[name], name)


def in_order_of_rows(inputs):
    """The number of each example, in the order in which a model answers them."""
    ids, examples = inputs["token_ids"], inputs["example_ids"]
    starts = (examples > 0) & (examples != np.pad(examples, ((0, 0), (1, 0)))[:, :-1])
    return ids[starts] - 1


@pytest.mark.parametrize("batch_size", [1, 4, 10, 99])
def test_every_example_once_an_epoch(batch_size):
    steps = steps_per_epoch(10, batch_size)
    batches = draw(2 * steps, batch_size)
    for epoch in (batches[:steps], batches[steps:]):
        seen = np.concatenate([batch["example"] for batch in epoch])
        assert sorted(seen) == list(range(10))
        assert [len(b["example"]) for b in epoch[:-1]] == [batch_size] * (steps - 1)
        assert len(epoch[-1]["example"]) == 10 - batch_size * (steps - 1)


def test_targets_stand_in_the_order_of_the_answers():
    for batch in draw(6):
        example = batch["example"]
        np.testing.assert_array_equal(in_order_of_rows(batch["inputs"]), example)
        np.testing.assert_array_equal(batch["labels"], example * 10)
        np.testing.assert_allclose(batch["weights"], example / 10)


def test_the_order_is_of_the_seed_and_the_epoch():
    first, same, other = (
        [batch["example"].tolist() for batch in draw(6, seed=seed)] for seed in (5, 5, 6)
    )
    assert first == same != other
    assert first[:3] != first[3:]


@pytest.mark.parametrize("first_step", [1, 3, 7])
def test_going_on_at_a_step(first_step):
    unbroken = draw(9)
    for batch, other in zip(
        draw(9 - first_step, first_step=first_step), unbroken[first_step:], strict=True
    ):
        assert_same(batch, other)


@pytest.mark.parametrize("batch_size", [1, 3, 10, 99])
def test_evaluation_counts_every_example_once_and_in_order(batch_size):
    batches = list(evaluation_batches(EXAMPLES, batch_size).as_numpy_iterator())
    assert len(batches) == steps_per_epoch(10, batch_size)
    for batch in batches:
        np.testing.assert_array_equal(in_order_of_rows(batch["inputs"]), batch["example"])
    by_batch = [sorted(batch["example"]) for batch in batches]
    assert list(itertools.chain(*by_batch)) == list(range(10))


def test_no_token_is_lost():
    batch = next(evaluation_batches(EXAMPLES, 10).as_numpy_iterator())
    used = batch["inputs"]["token_ids"][batch["inputs"]["example_ids"] > 0]
    assert np.bincount(used)[1:].tolist() == [3, 9, 2, 5, 4, 4, 7, 2, 3, 6]
    assert len(used) == EXAMPLES.tokens == 45


@pytest.mark.parametrize("longest", [2, 31, 64, 130])
def test_rows_hold_the_longest_example(longest):
    examples = make([longest, 2])
    (batch,) = evaluation_batches(examples, 2)
    assert batch["inputs"]["token_ids"].shape[1] == examples.row_length
    assert longest <= examples.row_length <= max(128, 2 * longest)


def test_rows_in_training_are_no_longer_than_their_own_batch_needs():
    examples = make([3, 2, 130, 2, 64, 5])
    lengths = set()
    for batch in training_batches(examples, {}, batch_size=2, seed=0).take(3):
        length = 192 if 2 in batch["example"].numpy() else 64
        assert batch["inputs"]["token_ids"].shape[1] == length
        lengths.add(length)
    assert lengths == {64, 192}


def test_rows_in_evaluation_are_all_as_long():
    batches = evaluation_batches(make([3, 2, 130, 2, 64, 5]), 2)
    assert [batch["inputs"]["token_ids"].shape[1] for batch in batches] == [192] * 3


def test_encode_equals_the_tokenizer_across_its_batches():
    letters = "abcdefgh"
    tokenizer = BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters])
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(list(letters), n)) for n in random.integers(1, 9, 1030)]
    for second in (None, texts[::-1]):
        encoded = encode(tokenizer, texts, second, max_length=8)
        expected = tokenizer.encode(texts, second, max_length=8)
        assert len(encoded) == 1030
        assert encoded.token_ids.to_list() == expected["token_ids"].to_list()
        assert encoded.segment_ids.to_list() == expected["segment_ids"].to_list()
        assert encoded.truncated == np.count_nonzero(expected["truncated"]) > 0


@pytest.mark.parametrize("batch_size", [2, 3, 99])
def test_groups_stay_together(batch_size):
    def draw_groups(count, first_step=0):
        batches = training_batches(EXAMPLES, TARGETS, batch_size, 0, first_step, group=2)
        return list(itertools.islice(batches.as_numpy_iterator(), count))

    steps = steps_per_epoch(5, batch_size)
    batches = draw_groups(2 * steps)
    for epoch in (batches[:steps], batches[steps:]):
        assert sorted(np.concatenate([batch["example"] for batch in epoch])) == list(range(10))
    for batch in batches:
        chosen = set(batch["example"])
        assert chosen == {number ^ 1 for number in chosen} and len(chosen) <= 2 * batch_size
        np.testing.assert_array_equal(batch["labels"], 10 * batch["example"])
    assert_same(draw_groups(1, first_step=steps)[0], batches[steps])


def test_a_fingerprint_tells_training_sets_apart():
    lengths, labels = [3, 9, 2], np.array([0, 1, 1])
    found = [
        LabelledExamples(make(lengths), {"labels": labels}, names=("bad", "good")),
        LabelledExamples(make(lengths), {"labels": labels}, names=("bad", "fair")),
        LabelledExamples(make(lengths), {"labels": labels[::-1]}, names=("bad", "good")),
        LabelledExamples(make([9, 3, 2]), {"labels": labels}, names=("bad", "good")),
        LabelledExamples(make(lengths), {"labels": tf.ragged.constant([[0], [1, 1], []])}),
    ]
    assert len({one.fingerprint for one in found}) == 5
    again = LabelledExamples(make(lengths), {"labels": labels.copy()}, names=("bad", "good"))
    assert again.fingerprint == found[0].fingerprint


def test_batches_are_described_by_their_examples_unless_told_otherwise():
    batch = {"example": np.array([3, 1])}
    assert LabelledExamples(EXAMPLES, TARGETS).describe(batch) == [{"example": 3}, {"example": 1}]
    described = LabelledExamples(EXAMPLES, TARGETS, describe=lambda batch: [{"text": "a"}])
    assert described.describe(batch) == [{"text": "a"}]
    assert described.fingerprint == LabelledExamples(EXAMPLES, TARGETS).fingerprint
    assert described.long_from(None) == 0
