import itertools
import random

import numpy as np
import tensorflow as tf

from bert_keras.text.normalizer import Normalizer

ALPHABET = "abσςi"  # noqa: RUF001


def normalise(normalizer, strings):
    """Returns each string's words, with a dot for a character that is not in the alphabet."""
    codes = tf.strings.unicode_decode(strings, "UTF-8")
    symbols, is_start, is_space, origins = (
        part.numpy() for part in normalizer(codes.values, codes.row_splits)
    )
    rows = []
    for start, stop in itertools.pairwise(np.searchsorted(origins, codes.row_splits.numpy())):
        words = []
        for position in range(start, stop):
            char = ("." + ALPHABET)[symbols[position]]
            if is_start[position]:
                words.append("")
            words[-1] += "" if is_space[position] else char
        rows.append([word for word in words if word])
    return rows


def make(lowercase=True, protect=False):
    symbols = {ord(char): symbol for symbol, char in enumerate(ALPHABET, 1)}
    return Normalizer(symbols, lowercase, protect)


def test_words():
    texts = ["AB a\tb", "a,b", "a中b", "", "á\0b\u200di", "İ", "a\u2029b\u00a0a", "xb"]
    assert normalise(make(), texts) == [
        ["ab", "a", "b"],
        ["a", ".", "b"],
        ["a", ".", "b"],
        [],
        ["abi"],
        ["i"],
        ["a", "b", "a"],
        [".b"],
    ]
    assert normalise(make(lowercase=False), ["AB a", "á"]) == [["..", "a"], ["."]]


def test_a_string_whose_first_characters_are_deleted_stays_separate():
    assert normalise(make(), ["\0\0", "a", "\0b", "", "\0", "a"]) == [
        [],
        ["a"],
        ["b"],
        [],
        [],
        ["a"],
    ]


def test_capital_sigma_ends_a_word_as_in_str_lower():
    rng = random.Random(3)
    texts = [
        "".join(rng.choices("ΣΣΣAB1'.\u00ad\u0345 ", k=rng.randrange(1, 9))) for _ in range(2000)
    ]
    lowered = [text.lower().replace("\u00ad", "").replace("\u0345", "") for text in texts]
    normalised = normalise(make(), texts)
    for text, plain, words in zip(texts, lowered, normalised, strict=True):
        kept = "".join(char if char in ALPHABET else "." for char in plain if char != " ")
        assert "".join(words) == kept, ascii(text)
