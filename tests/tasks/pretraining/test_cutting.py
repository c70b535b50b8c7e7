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
    begin, tokens, sentences = 0, [], []
    for lengths in passages:
        tokens.append(range(begin, begin + sum(lengths)))
        sentences.append([sum(lengths[:n]) for n in range(len(lengths))])
        begin += sum(lengths)
    document = tf.range(len(passages), dtype=tf.int64)
    return {"tokens": pad(tokens), "sentences": pad(sentences), "document": document}


def pieces_of(tokens, sentences, room):
    """The pieces of one passage in plain Python."""
    begin = 0
    while begin < len(tokens):
        end = min(begin + room, len(tokens))
        if end < len(tokens):
            end = max([s for s in sentences if begin < s <= end], default=end)
        yield tokens[begin:end], [s - begin for s in sentences if begin <= s < end]
        begin = end


@pytest.mark.parametrize("room", [5, 9, 30, 1000])
def test_equals_plain_python(room):
    random = np.random.default_rng(room)
    passages = [random.integers(1, 15, random.integers(1, 20)).tolist() for _ in range(40)]
    batch = make(passages)
    expected = [
        (*piece, document)
        for document in range(40)
        for piece in pieces_of(
            [t for t in batch["tokens"][document].numpy().tolist() if t >= 0],
            [s for s in batch["sentences"][document].numpy().tolist() if s >= 0],
            room,
        )
    ]
    pieces = {name: values.numpy() for name, values in cut_to_length(batch, room).items()}
    assert pieces["tokens"].shape == pieces["sentences"].shape == (len(expected), room)
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


def test_every_sentence_but_the_first_may_begin_b():
    batch = make([[3, 4, 1, 2], [6, 6]])
    begins = [set(), set()]
    for seed in range(60):
        for number, (first, second) in enumerate(in_two(batch, seed)):
            tokens = batch["tokens"][number].numpy()
            assert first + second == tokens[tokens >= 0].tolist()
            begins[number].add(len(first))
    assert begins == [{3, 7, 8}, {6}]


def test_a_single_sentence_is_cut_before_a_word_and_a_single_word_anywhere():
    tokens = pad([[7, 500, 8, 9, 501, 502], [7, 500, 501, 502], [7], [501]])
    sentences = tf.zeros([4, 1], tf.int32)
    begins = [set(), set(), set(), set()]
    for seed in range(60):
        halves = in_two({"tokens": tokens, "sentences": sentences}, seed)
        for number, (first, _) in enumerate(halves):
            begins[number].add(len(first))
    assert begins == [{2, 3}, {1, 2, 3}, {1}, {1}]  # of one token, B is empty
