"""Masked language modelling: which tokens are to be predicted, and what stands in their place.

Devlin et al. 2018 (arXiv 1810.04805), section 3.1 and appendix A.1; whole words as in the authors'
later models; spans as in SpanBERT (Joshi et al. 2019, arXiv 1907.10529, section 3.1).
"""

import re
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from bert_keras.text.vocabulary import CONTINUATION, SPECIAL_TOKENS

STRATEGIES = ("token", "word", "span")

_MASKED, _REPLACED = 0.8, 0.1  # the rest stays what it is
_SPAN_STOP, _LONGEST_SPAN = 0.2, 10  # words; 3.8 on average
_UNUSED = re.compile(r"\[unused\d+\]")  # rows that Google's vocabularies keep free


class Pieces(NamedTuple):
    """What masking has to know of a vocabulary.

    Attributes:
        mask_id: the id of [MASK].
        special: bool [vocabulary], tokens that are never masked.
        continuation: bool [vocabulary], pieces that go on a word.
        ordinary: int32 [ordinary], the ids that may replace another.
    """

    mask_id: int
    special: np.ndarray
    continuation: np.ndarray
    ordinary: np.ndarray

    @classmethod
    def of(cls, tokenizer):
        """Sorts the vocabulary of a `BertTokenizer`."""
        tokens = tokenizer.vocabulary
        special = np.array([token in SPECIAL_TOKENS for token in tokens])
        unused = np.array([bool(_UNUSED.fullmatch(token)) for token in tokens])
        return cls(
            mask_id=tokenizer.mask_id,
            special=special,
            continuation=np.array([token.startswith(CONTINUATION) for token in tokens]),
            ordinary=np.flatnonzero(~special & ~unused).astype(np.int32),
        )


def mask_tokens(token_ids, seed, rate, strategy, pieces):
    """Draws the tokens that are to be predicted, and hides most of them.

    Of the tokens drawn, 80% become [MASK], 10% a random token of the vocabulary and 10% stay what
    they are: each by itself, or with "span" a whole span alike. Special tokens are neither drawn
    nor put in another's place; [UNK] is one of them, for there is nothing to learn from it.

    An example of n tokens, special ones included, has round(rate n) drawn, at least one. Words and
    spans are taken in random order, and the word that goes beyond that number is taken if the
    better half of it does not: so the number is right on average, and long words are as likely as
    short ones.

    Args:
        token_ids: ragged int32 [examples, (tokens)].
        seed: int [2]; the same seed draws the same.
        rate: the share of the tokens to draw, above 0 up to 1.
        strategy: "token", each by itself; "word", all pieces of a word together; "span", runs of
            words, whose length in words is geometric with p = 0.2 and at most 10.
        pieces: `Pieces` of the vocabulary.

    Returns:
        hidden: ragged int32 [examples, (tokens)], the tokens with those drawn replaced.
        masked: ragged int32 [examples, (tokens)], 1 for a token that was drawn.
    """
    seeds = tf.random.split(seed, 4)
    values, example = token_ids.values, token_ids.value_rowids()

    positions = tf.where(~tf.gather(pieces.special, values))[:, 0]  # [ordinary]
    ids, row = tf.gather(values, positions), tf.gather(example, positions)  # [ordinary]
    # Text begins with an example, and after a special token.
    text_begins = _changes(positions - tf.range(tf.size(positions, tf.int64))) | _changes(row)
    if strategy == "token":
        word_begins = tf.ones_like(text_begins)
    else:
        word_begins = text_begins | ~tf.gather(pieces.continuation, ids)
    word = _number(word_begins)  # [ordinary]
    first = tf.where(word_begins)[:, 0]  # [words]
    span = tf.range(tf.size(first))  # [words], the one that each is in
    if strategy == "span":
        span = _spans(tf.gather(text_begins, first), seeds[0])
    sizes = tf.concat([first[1:], [tf.size(word, tf.int64)]], 0) - first  # [words]
    words = tf.RaggedTensor.from_value_rowids(
        sizes, tf.gather(row, first), nrows=token_ids.nrows(), validate=False
    )  # [examples, (words)]
    lengths = tf.cast(token_ids.row_lengths(), tf.float64)
    budget = tf.maximum(tf.round(rate * lengths), 1)  # [examples]
    drawn = tf.gather(_draw(words, span, budget, seeds[1]), word)  # [ordinary]

    dice = tf.random.stateless_uniform(tf.shape(ids), seeds[2])
    if strategy == "span":
        dice = tf.gather(dice, tf.gather(span, word))
    shape, count = tf.shape(ids), len(pieces.ordinary)
    other = tf.random.stateless_uniform(shape, seeds[3], 0, count, tf.int32)
    hidden = tf.where(dice < _MASKED, pieces.mask_id, tf.gather(pieces.ordinary, other))
    hidden = tf.where(drawn & (dice < _MASKED + _REPLACED), hidden, ids)  # [ordinary]
    positions = positions[:, tf.newaxis]
    hidden = tf.tensor_scatter_nd_update(values, positions, hidden)  # [tokens]
    masked = tf.scatter_nd(positions, tf.cast(drawn, tf.int32), tf.shape(values, tf.int64))
    return token_ids.with_values(hidden), token_ids.with_values(masked)


def _draw(words, span, budget, seed):
    """Draws words, span by span in random order, until they have the tokens wanted.

    Args:
        words: int64 ragged [examples, (words)], the tokens of each word.
        span: int32 [words], the number of the span that each is in.
        budget: float64 [examples], the tokens wanted of each example.
        seed: int [2].

    Returns:
        bool [words].
    """
    seeds = tf.random.split(seed, 3)
    sizes, row = words.values, words.value_rowids()
    # One number to sort by: example, 2^24 places for spans, 2^24 to either side for words. The
    # last span may be taken in part, from its left or its right, or else its ends were favoured.
    position = tf.random.stateless_uniform(tf.shape(span), seeds[0], 0, 1 << 24, tf.int64)
    backward = tf.random.stateless_uniform(tf.shape(span), seeds[1]) < 0.5
    number = tf.range(tf.size(span, tf.int64))
    number = tf.where(tf.gather(backward, span), -number, number)
    order = tf.argsort((row * (1 << 24) + tf.gather(position, span)) * (1 << 25) + number)

    in_order, row_of = tf.gather(sizes, order), tf.gather(row, order)
    before = tf.cumsum(in_order, exclusive=True)
    before -= tf.gather(before, tf.gather(words.row_starts(), row_of))  # in the example
    # A word may be half within the budget and half beyond; then a coin decides.
    coin = tf.random.stateless_uniform(tf.shape(budget), seeds[2], -0.25, 0.25, tf.float64)
    middle = tf.cast(before, tf.float64) + tf.cast(in_order, tf.float64) / 2
    taken = (middle <= tf.gather(budget + coin, row_of)) | (before == 0)
    return tf.gather(taken, tf.argsort(order))


def _spans(text_begins, seed):
    """Cuts texts into spans of words, of the lengths that SpanBERT draws.

    Args:
        text_begins: bool [words], whether a text begins with the word.
        seed: int [2].

    Returns:
        int32 [words], the number of the span that each word is in.
    """
    share = _SPAN_STOP * (1 - _SPAN_STOP) ** np.arange(_LONGEST_SPAN)
    limits = (np.cumsum(share) / share.sum())[:-1].astype(np.float32)
    dice = tf.random.stateless_uniform(tf.shape(text_begins), seed)
    lengths = tf.searchsorted(limits, dice, "right", tf.int64) + 1  # [words]
    # A text begins with a span, and where one ends the next begins, as long as there are words.
    text = _number(text_begins)  # [words]
    firsts = tf.where(text_begins)[:, 0]  # [texts]
    ends = tf.concat([firsts[1:], [tf.size(text, tf.int64)]], 0)  # [texts]
    reached = tf.cumsum(lengths, exclusive=True)
    begins = reached + tf.gather(firsts - tf.gather(reached, firsts), text)  # [words]
    begins = tf.boolean_mask(begins, begins < tf.gather(ends, text))  # [spans]
    return _number(
        tf.scatter_nd(
            begins[:, tf.newaxis], tf.ones_like(begins, tf.bool), tf.shape(text, tf.int64)
        )
    )


def _changes(values):
    """Whether each value differs from the one before it; the first does."""
    return tf.concat([[True], values[1:] != values[:-1]], 0)[: tf.size(values)]


def _number(begins):
    """The number, from 0, of the group that each member is in, given where the groups begin."""
    return tf.cumsum(tf.cast(begins, tf.int32)) - 1
