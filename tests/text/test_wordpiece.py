import random

import reference_tokenizer
import tensorflow as tf

from bert_keras.text.wordpiece import Trie

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def cut(trie, words):
    """Returns the ids of each word and the lengths of its tokens."""
    symbols = [trie.symbols.get(ord(char), 0) for word in words for char in word]
    is_start = [index == 0 for word in words for index in range(len(word))]
    is_token_start, ids, lengths = (
        part.numpy()
        for part in trie.cut(tf.constant(symbols, tf.int32), tf.constant(is_start, tf.bool))
    )
    cuts, position = [], 0
    for word in words:
        tokens = [i for i in range(position, position + len(word)) if is_token_start[i]]
        cuts.append(([int(ids[i]) for i in tokens], [int(lengths[i]) for i in tokens]))
        position += len(word)
    return cuts


def expected(vocabulary, words):
    ids = {token: index for index, token in enumerate(vocabulary)}
    cuts = []
    for word in words:
        pieces = reference_tokenizer.pieces(word, ids)
        if pieces is None:
            cuts.append(([ids["[UNK]"]], [len(word)]))
        else:
            lengths = [len(p) if i == 0 else len(p) - 2 for i, p in enumerate(pieces)]
            cuts.append(([ids[p] for p in pieces], lengths))
    return cuts


def test_longest_piece_first():
    vocabulary = [*SPECIAL, "un", "una", "##ff", "##a", "##ffable", "##able", "x"]
    trie = Trie(vocabulary, False)
    assert cut(trie, ["unaffable", "unffable", "x", "xx", "una", "unaffab"]) == [
        ([6, 9], [3, 6]),
        ([5, 9], [2, 6]),
        ([11], [1]),
        ([1], [2]),
        ([6], [3]),
        ([1], [7]),
    ]


def test_equals_a_search_on_random_vocabularies():
    rng = random.Random(7)
    for size in (5, 40, 400):
        tokens = dict.fromkeys(SPECIAL)
        for _ in range(size):
            piece = "".join(rng.choices("abcd\U0001f44d", k=rng.randrange(1, 6)))
            tokens[rng.choice(["", "##"]) + piece] = None
        words = [
            "".join(rng.choices("abcd\U0001f44dz", (9, 9, 9, 9, 3, 1), k=rng.randrange(1, 14)))
            for _ in range(500)
        ]
        vocabulary = list(tokens)
        assert cut(Trie(vocabulary, False), words) == expected(vocabulary, words)


def test_words_of_more_than_200_characters_are_unknown():
    vocabulary = [*SPECIAL, "a", "##a", "b" * 200, "b" * 201]
    trie = Trie(vocabulary, False)
    words = ["a" * 200, "a" * 201, "b" * 200, "b" * 201, "a"]
    assert cut(trie, words) == expected(vocabulary, words)
    # A word of any length takes no more steps than one of 200.
    assert cut(trie, ["a" * 300_000, "aa"]) == [([1], [300_000]), ([5, 6], [1, 1])]


def test_nothing_in_nothing_out():
    assert cut(Trie([*SPECIAL, "a"], False), []) == []
