import numpy as np
import pytest
import tensorflow as tf

from bert_keras.tasks.pretraining.cutting import cut_in_two, cut_to_length

CONTINUATION = np.arange(1000) >= 500


def pad(lists):
    width = max(map(len, lists))
    return tf.constant([[*row, *[-1] * (width - len(row))] for row in lists], tf.int32)


def make(passages):
    """A batch of passages, each a list of the lengths of its sentences; tokens are 0, 1, ..."""
    start, tokens, sentences = 0, [], []
    for lengths in passages:
        tokens.append(range(start, start + sum(lengths)))
        sentences.append([sum(lengths[:n]) for n in range(len(lengths))])
        start += sum(lengths)
    document = tf.range(len(passages), dtype=tf.int64)
    return {"tokens": pad(tokens), "sentences": pad(sentences), "document": document}


def pieces_of(tokens, sentences, max_tokens):
    """The pieces of one passage in plain Python."""
    start = 0
    while start < len(tokens):
        end = min(start + max_tokens, len(tokens))
        if end < len(tokens):
            end = max([s for s in sentences if start < s <= end], default=end)
        yield tokens[start:end], [s - start for s in sentences if start <= s < end]
        start = end


@pytest.mark.parametrize("max_tokens", [5, 9, 30, 1000])
def test_equals_plain_python(max_tokens):
    random = np.random.default_rng(max_tokens)
    passages = [random.integers(1, 15, random.integers(1, 20)).tolist() for _ in range(40)]
    batch = make(passages)
    expected = [
        (*piece, document)
        for document in range(40)
        for piece in pieces_of(
            [t for t in batch["tokens"][document].numpy().tolist() if t >= 0],
            [s for s in batch["sentences"][document].numpy().tolist() if s >= 0],
            max_tokens,
        )
    ]
    pieces = {name: values.numpy() for name, values in cut_to_length(batch, max_tokens).items()}
    assert pieces["tokens"].shape == pieces["sentences"].shape == (len(expected), max_tokens)
    found = [
        (tokens[tokens >= 0].tolist(), sentences[sentences >= 0].tolist(), document)
        for tokens, sentences, document in zip(*pieces.values(), strict=True)
    ]
    assert found == expected


def test_pieces_can_be_cut_again():
    batch = make([[3, 4, 5], [20]])
    once = cut_to_length(batch, 7)
    again = cut_to_length(once, 7)
    for name, values in once.items():
        np.testing.assert_array_equal(again[name], values)


def in_two(batch, seed=0):
    halves = cut_in_two(batch, CONTINUATION, [seed, 1]).to_list()
    return list(zip(halves[::2], halves[1::2], strict=True))


def test_every_sentence_but_the_first_may_start_b():
    batch = make([[3, 4, 1, 2], [6, 6]])
    starts = [set(), set()]
    for seed in range(60):
        for number, (first, second) in enumerate(in_two(batch, seed)):
            tokens = batch["tokens"][number].numpy()
            assert first + second == tokens[tokens >= 0].tolist()
            starts[number].add(len(first))
    assert starts == [{3, 7, 8}, {6}]


def test_a_single_sentence_is_cut_before_a_word_and_a_single_word_anywhere():
    tokens = pad([[7, 500, 8, 9, 501, 502], [7, 500, 501, 502], [7], [501]])
    sentences = tf.zeros([4, 1], tf.int32)
    starts = [set(), set(), set(), set()]
    for seed in range(60):
        halves = in_two({"tokens": tokens, "sentences": sentences}, seed)
        for number, (first, _) in enumerate(halves):
            starts[number].add(len(first))
    assert starts == [{2, 3}, {1, 2, 3}, {1}, {1}]  # of one token, B is empty
