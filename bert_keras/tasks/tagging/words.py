"""The words of tokenized texts, which is what tags are given to."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from bert_keras.text.vocabulary import CONTINUATION


class Words(NamedTuple):
    """The words of texts, one after the other.

    Attributes:
        token: int64 [words], the first token of each, counted through all texts.
        start, end: int32 [words], where each stands in its text, in code points.
        row_splits: int64 [texts + 1], where each text's words begin.
    """

    token: tf.Tensor
    start: tf.Tensor
    end: tf.Tensor
    row_splits: tf.Tensor


def begins_word(vocabulary):
    """Tells the tokens that begin a word: a bool array [tokens of the vocabulary]."""
    return np.array([not t.startswith(CONTINUATION) or t == CONTINUATION for t in vocabulary])


def words_of_tokens(ids, begins, ends, is_begin):
    """The words that the tokenizer makes: at white space, and each punctuation mark by itself.

    Args:
        ids, begins, ends: ragged int32 [texts, (tokens)], see `tokenize_with_offsets`.
        is_begin: what `begins_word` returned.

    Returns:
        `Words`, in graph operations.
    """
    token = tf.where(tf.gather(is_begin, ids.values))[:, 0]  # [words]
    last = tf.concat([token[1:], [tf.size(ids.values, tf.int64)]], 0)[: tf.size(token)] - 1
    return Words(
        token,
        tf.gather(begins.values, token),
        tf.gather(ends.values, last),
        tf.searchsorted(token, ids.row_splits, out_type=tf.int64),
    )


def words_of_file(spans, begins, texts):
    """The words that a file has, without those of which the tokenizer makes nothing.

    Args:
        spans: for each text, its words, (start, end) in code points.
        begins: ragged int32 [texts, (tokens)].
        texts: the texts.

    Returns:
        `Words`, of arrays.
    """
    bases = bases_of(texts)
    counts = [len(words) for words in spans]
    starts, ends = np.array([word for words in spans for word in words], np.int64).T  # [words]
    text = np.repeat(np.arange(len(spans)), counts)
    tokens = begins.values.numpy() + bases[begins.value_rowids().numpy()]  # through all texts
    token = np.searchsorted(tokens, starts + bases[text])  # [words]
    there = np.append(tokens, np.iinfo(np.int64).max)[token] < ends + bases[text]
    return Words(
        token[there],
        starts[there].astype(np.int32),
        ends[there].astype(np.int32),
        np.searchsorted(text[there], np.arange(len(spans) + 1)),
    )


def bases_of(texts):
    """Where each text begins if all are set one after the other, with something between them."""
    return np.cumsum([0, *(len(text) + 1 for text in texts[:-1])])


class Truth(NamedTuple):
    """What is to be found in texts.

    Attributes:
        tags: int32 [words], numbered as `tag_decoding` has them.
        spans: for each entity of all texts, (text, start, end, number of its type). Ends are those
            of the words, where these are the entity and nothing else; else they are as given.
        split: the numbers of entities that begin or end inside a word, or have none.
    """

    tags: np.ndarray
    spans: list
    split: np.ndarray


def truth_of(words, texts, entities, types):
    """Finds the tags of words.

    A word that an entity has a part of is tagged as all of it; if it has parts of two, as the
    first's.

    Args:
        words: `Words`.
        texts: the texts.
        entities: for each text, its `Entity`s, in order.
        types: the types' names; the order is that of their numbers.

    Returns:
        `Truth`.
    """
    bases = bases_of(texts)
    splits = np.asarray(words.row_splits)
    text = np.repeat(np.arange(len(texts)), np.diff(splits))  # [words]
    word_starts = np.asarray(words.start) + bases[text]
    word_ends = np.asarray(words.end) + bases[text]
    number = {name: index for index, name in enumerate(types)}
    rows = [
        (index, entity.start, entity.end, number[entity.type])
        for index, of_text in enumerate(entities)
        for entity in of_text
    ]
    owner_of, starts, ends, kinds = np.array(rows, np.int64).reshape(-1, 4).T  # [entities]
    starts, ends = starts + bases[owner_of], ends + bases[owner_of]

    # Each word's entity: the first one that ends behind the word's start.
    entity = np.searchsorted(ends, word_starts, side="right")  # [words]
    inside = np.append(starts, np.iinfo(np.int64).max)[entity] < word_ends
    entity = np.where(inside, entity, -1)
    is_first = inside & (entity != np.append(-1, entity[:-1]))
    is_last = inside & (entity != np.append(entity[1:], -1))
    tags = np.zeros(len(entity), np.int32)
    tags[inside] = 2 + 2 * kinds[entity[inside]]
    tags[is_first] -= 1

    whole = np.zeros(len(rows), bool)
    firsts, lasts = np.flatnonzero(is_first), np.flatnonzero(is_last)
    mine = entity[firsts]
    whole[mine] = (word_starts[firsts] >= starts[mine]) & (word_ends[lasts] <= ends[mine])
    spans = list(rows)
    for index, first, last in zip(mine, firsts, lasts, strict=True):
        if whole[index]:
            spans[index] = (
                text[first].item(),
                int(words.start[first]),
                int(words.end[last]),
                int(kinds[index]),
            )
    return Truth(tags, spans, np.flatnonzero(~whole))
