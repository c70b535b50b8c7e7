"""The words of tokenized texts, which are what tags belong to."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from bert_keras.tasks.tagging.examples import Entity
from bert_keras.text.vocabulary import CONTINUATION


class Words(NamedTuple):
    """The words of all texts, in one sequence. Tensors, or arrays.

    Attributes:
        token: int64 [words], the index of each word's first token, counted through all texts.
        start: int32 [words], the code point of its text at which a word starts.
        end: int32 [words], the code point after the word.
        row_splits: int64 [texts + 1], the index of each text's first word; then the number of all.
    """

    token: tf.Tensor | np.ndarray
    start: tf.Tensor | np.ndarray
    end: tf.Tensor | np.ndarray
    row_splits: tf.Tensor | np.ndarray


def starts_word(vocabulary: Sequence[str]) -> np.ndarray:
    """Returns which tokens of a vocabulary start a word: bool [tokens of the vocabulary]."""
    return np.array([not t.startswith(CONTINUATION) or t == CONTINUATION for t in vocabulary])


def words_of_tokens(
    ids: tf.RaggedTensor, starts: tf.RaggedTensor, ends: tf.RaggedTensor, is_start: np.ndarray
) -> Words:
    """Returns the tokenizer's words: separated by white space, and each punctuation mark alone.

    Args:
        ids: ragged int32 [texts, (tokens)], see `BertTokenizer.tokenize_with_offsets`.
        starts: likewise, the code point at which each token starts.
        ends: likewise, the code point after it.
        is_start: what `starts_word` returned.

    Returns:
        The words, in graph operations.
    """
    token = tf.where(tf.gather(is_start, ids.values))[:, 0]  # [words]
    last = tf.concat([token[1:], [tf.size(ids.values, tf.int64)]], 0)[: tf.size(token)] - 1
    return Words(
        token,
        tf.gather(starts.values, token),
        tf.gather(ends.values, last),
        tf.searchsorted(token, ids.row_splits, out_type=tf.int64),
    )


def words_of_file(
    spans: Sequence[Sequence[tuple[int, int]]], starts: tf.RaggedTensor, texts: Sequence[str]
) -> Words:
    """Returns the words of a file, without those that have no token.

    Args:
        spans: the words of each text, (start, end) in code points.
        starts: ragged int32 [texts, (tokens)], the code point at which each token starts.
        texts: the texts.

    Returns:
        The words, as arrays.
    """
    bases = _bases_of(texts)
    counts = [len(words) for words in spans]
    word_starts, word_ends = np.array([word for words in spans for word in words], np.int64).T
    text = np.repeat(np.arange(len(spans)), counts)  # [words]
    tokens = starts.values.numpy() + bases[starts.value_rowids().numpy()]  # through all texts
    token = np.searchsorted(tokens, word_starts + bases[text])  # [words]
    has_token = np.append(tokens, np.iinfo(np.int64).max)[token] < word_ends + bases[text]
    return Words(
        token[has_token],
        word_starts[has_token].astype(np.int32),
        word_ends[has_token].astype(np.int32),
        np.searchsorted(text[has_token], np.arange(len(spans) + 1)),
    )


def _bases_of(texts: Sequence[str]) -> np.ndarray:
    """Returns where each text starts if all are concatenated with one code point between them."""
    return np.cumsum([0, *(len(text) + 1 for text in texts[:-1])])


class Truth(NamedTuple):
    """The labels of texts.

    Attributes:
        tags: int32 [words], in the order of `decoding`.
        spans: the entities of all texts, (text, start, end, index of the type) each. Start and end
            are those of the entity's words where these are exactly the entity. Otherwise they are
            as labelled, so that no prediction equals them.
        split: the indices of the entities that start or end inside a word or have no word.
    """

    tags: np.ndarray
    spans: list[tuple[int, int, int, int]]
    split: np.ndarray


def truth_of(
    words: Words,
    texts: Sequence[str],
    entities: Sequence[Sequence[Entity]],
    types: Sequence[str],
) -> Truth:
    """Computes the tags of words from the entities of texts.

    A word that is partly inside an entity is tagged as if it were all inside; a word that is partly
    inside two, as in the first.

    Args:
        words: the words of the texts.
        texts: the texts.
        entities: the entities of each text, in order.
        types: the names of the types, in the order of their indices.

    Returns:
        The tags and the entities.
    """
    bases = _bases_of(texts)
    splits = np.asarray(words.row_splits)
    text = np.repeat(np.arange(len(texts)), np.diff(splits))  # [words]
    word_starts = np.asarray(words.start) + bases[text]
    word_ends = np.asarray(words.end) + bases[text]
    index_of = {name: index for index, name in enumerate(types)}
    spans = [
        (index, entity.start, entity.end, index_of[entity.type])
        for index, of_text in enumerate(entities)
        for entity in of_text
    ]
    text_of, starts, ends, kinds = np.array(spans, np.int64).reshape(-1, 4).T  # [entities]
    starts, ends = starts + bases[text_of], ends + bases[text_of]

    # The entity of each word: the first one that ends after the start of the word.
    entity = np.searchsorted(ends, word_starts, side="right")  # [words]
    inside = np.append(starts, np.iinfo(np.int64).max)[entity] < word_ends
    entity = np.where(inside, entity, -1)
    is_first = inside & (entity != np.append(-1, entity[:-1]))
    is_last = inside & (entity != np.append(entity[1:], -1))
    tags = np.zeros(len(entity), np.int32)
    tags[inside] = 2 + 2 * kinds[entity[inside]]
    tags[is_first] -= 1

    is_exact = np.zeros(len(spans), bool)  # consists of entire words
    firsts, lasts = np.flatnonzero(is_first), np.flatnonzero(is_last)
    of_words = entity[firsts]
    is_exact[of_words] = (word_starts[firsts] >= starts[of_words]) & (
        word_ends[lasts] <= ends[of_words]
    )
    for index, first, last in zip(of_words, firsts, lasts, strict=True):
        if is_exact[index]:
            spans[index] = (
                text[first].item(),
                int(words.start[first]),
                int(words.end[last]),
                int(kinds[index]),
            )
    return Truth(tags, spans, np.flatnonzero(~is_exact))
