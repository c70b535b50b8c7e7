import numpy as np
import pytest

from bert_keras.tasks.tagging.examples import Entity
from bert_keras.tasks.tagging.words import starts_word, truth_of, words_of_file, words_of_tokens
from bert_keras.text.tokenizer import BertTokenizer

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcusn.,-", "##b", "##c", "##"]


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizer(VOCABULARY)


def words_in(tokenizer, texts):
    return words_of_tokens(
        *tokenizer.tokenize_with_offsets(texts), starts_word(tokenizer.vocabulary)
    )


def cut_out(texts, words):
    splits = np.asarray(words.row_splits)
    text_of = np.repeat(np.arange(len(texts)), np.diff(splits))
    return [
        texts[i][a:b] for i, a, b in zip(text_of, words.start, words.end, strict=True)
    ], splits.tolist()


def test_punctuation_is_a_word_and_a_piece_is_none(tokenizer):
    texts = ["abc, a.b", "", "ä\u0301bcb", "?x 中"]
    words, splits = cut_out(texts, words_in(tokenizer, texts))
    assert words == ["abc", ",", "a", ".", "b", "ä\u0301bcb", "?", "x", "中"]
    assert splits == [0, 5, 5, 6, 9]


def test_no_text_no_words(tokenizer):
    for texts in ([], ["", " \t"]):
        assert cut_out(texts, words_in(tokenizer, texts))[0] == []


def test_words_of_a_file_begin_at_tokens(tokenizer):
    texts = ["u.s. \u200b abc", "\u0301", "n"]
    spans = [[(0, 4), (5, 6), (7, 10)], [(0, 1)], [(0, 1)]]
    ids, begins, _ = tokenizer.tokenize_with_offsets(texts)
    words = words_of_file(spans, begins, texts)
    assert cut_out(texts, words) == (["u.s.", "abc", "n"], [0, 2, 2, 3])
    starts = [VOCABULARY[i] for i in ids.values.numpy()[words.token]]
    assert starts == ["u", "a", "n"]


def tags_of(tokenizer, texts, entities):
    return truth_of(words_in(tokenizer, texts), texts, entities, ["x", "y"])


def test_tags_of_words(tokenizer):
    texts = ["abc u.s. a b", "a b", "", "b c"]
    entities = [[Entity(4, 8, "y"), Entity(9, 10, "x"), Entity(11, 12, "x")], [], [], []]
    entities[3] = [Entity(0, 3, "x")]
    truth = tags_of(tokenizer, texts, entities)
    assert truth.tags.tolist() == [0, 3, 4, 4, 4, 1, 1, 0, 0, 1, 2]
    assert truth.spans == [(0, 4, 8, 1), (0, 9, 10, 0), (0, 11, 12, 0), (3, 0, 3, 0)]
    assert truth.split.tolist() == []


def test_entities_that_split_words_are_told(tokenizer):
    texts = ["abc abc", "a \u200b b", "abcb"]
    entities = [
        [Entity(1, 3, "x"), Entity(4, 6, "y")],
        [Entity(2, 3, "x")],
        [Entity(0, 2, "x"), Entity(2, 4, "y")],
    ]
    truth = tags_of(tokenizer, texts, entities)
    assert truth.tags.tolist() == [1, 3, 0, 0, 1]  # all of the word, and the first of two
    assert truth.split.tolist() == [0, 1, 2, 3, 4]
    assert truth.spans[1] == (0, 4, 6, 1)  # as it was given, so that it counts and nothing hits it


def test_an_entitys_ends_are_its_words(tokenizer):
    texts = ["a \u200bb\u200b"]
    truth = tags_of(tokenizer, texts, [[Entity(2, 5, "x")]])
    assert truth.spans == [(0, 3, 4, 0)]
    assert truth.split.tolist() == []


def test_no_entities(tokenizer):
    truth = tags_of(tokenizer, ["a", ""], [[], []])
    assert truth.tags.tolist() == [0] and truth.spans == []
