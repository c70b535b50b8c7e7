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
    order_seed, dice_seed, token_seed, span_seed = tf.unstack(tf.random.split(seed, 4), num=4)
    values, example = token_ids.values, token_ids.value_rowids()

    places = tf.where(~tf.gather(pieces.special, values))[:, 0]  # [ordinary]
    ids, row = tf.gather(values, places), tf.gather(example, places)  # [ordinary]
    # Text begins with an example, and after a special token.
    text_begins = _changes(places - tf.range(tf.size(places, tf.int64))) | _changes(row)
    if strategy == "token":
        word_begins = tf.ones_like(text_begins)
    else:
        word_begins = text_begins | ~tf.gather(pieces.continuation, ids)
    word = _number(word_begins)  # [ordinary]
    firsts = tf.where(word_begins)[:, 0]  # [words]
    unit = word
    if strategy == "span":
        unit = tf.gather(_spans(tf.gather(text_begins, firsts), span_seed), word)

    # A random order of the units within each example; their tokens stay together and in order.
    keys = tf.random.stateless_uniform(tf.shape(unit), order_seed, 0, 1 << 31, tf.int64)
    keys = tf.bitwise.left_shift(row, 31) + tf.gather(keys, unit)  # [ordinary]
    rank = _inverse(tf.argsort(keys, stable=True))  # [ordinary]
    rank -= tf.searchsorted(row, row)  # in the example
    budget = tf.maximum(tf.round(rate * tf.cast(token_ids.row_lengths(), tf.float32)), 1)
    rank, budget = tf.gather(rank, firsts), tf.gather(budget, tf.gather(row, firsts))  # [words]
    size = tf.concat([firsts[1:], [tf.size(word, tf.int64)]], 0) - firsts  # [words]
    middle = tf.cast(rank, tf.float32) + tf.cast(size, tf.float32) / 2
    drawn = tf.gather((middle <= budget) | (rank == 0), word)  # [ordinary]

    dice = tf.random.stateless_uniform(tf.shape(unit), dice_seed)
    if strategy == "span":
        dice = tf.gather(dice, unit)
    other = tf.random.stateless_uniform(
        tf.shape(ids), token_seed, 0, len(pieces.ordinary), tf.int32
    )
    other = tf.gather(pieces.ordinary, other)
    hidden = tf.where(dice < _MASKED, pieces.mask_id, other)
    hidden = tf.where(drawn & (dice < _MASKED + _REPLACED), hidden, ids)  # [ordinary]
    places = places[:, tf.newaxis]
    hidden = tf.tensor_scatter_nd_update(values, places, hidden)  # [tokens]
    masked = tf.scatter_nd(places, tf.cast(drawn, tf.int32), tf.shape(values, tf.int64))
    return token_ids.with_values(hidden), token_ids.with_values(masked)


def _spans(text_begins, seed):
    """Cuts texts into spans of words.

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


def _inverse(permutation):
    return tf.scatter_nd(
        permutation[:, tf.newaxis], tf.range(tf.size(permutation)), tf.shape(permutation)
    )
