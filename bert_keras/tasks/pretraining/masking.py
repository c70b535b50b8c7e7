"""Masked language modelling: which tokens are to be predicted, and what replaces them.

Devlin et al. 2018 (arXiv 1810.04805), section 3.1 and appendix A.1; whole words as in the authors'
later models; spans as in SpanBERT (Joshi et al. 2019, arXiv 1907.10529, section 3.1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.text.vocabulary import CONTINUATION, SPECIAL_TOKENS

STRATEGIES = ("token", "word", "span")

_MASKED, _REPLACED = 0.8, 0.1  # shares of the drawn tokens; the rest is not changed
_SPAN_STOP, _LONGEST_SPAN = 0.2, 10  # words; 3.8 on average
_UNUSED = re.compile(r"\[unused\d+\]")  # tokens that Google's vocabularies reserve


class Pieces(NamedTuple):
    """The properties of a vocabulary that masking needs.

    Attributes:
        mask_id: the id of [MASK].
        special: bool [vocabulary], tokens that are never masked.
        continuation: bool [vocabulary], tokens that continue a word.
        ordinary: int32 [ordinary], the ids of the tokens that may replace another.
    """

    mask_id: int
    special: np.ndarray
    continuation: np.ndarray
    ordinary: np.ndarray

    @classmethod
    def from_tokenizer(cls, tokenizer: BertTokenizer) -> Pieces:
        """Takes the properties from a tokenizer's vocabulary."""
        tokens = tokenizer.vocabulary
        special = np.array([token in SPECIAL_TOKENS for token in tokens])
        unused = np.array([bool(_UNUSED.fullmatch(token)) for token in tokens])
        return cls(
            mask_id=tokenizer.mask_id,
            special=special,
            continuation=np.array([token.startswith(CONTINUATION) for token in tokens]),
            ordinary=np.flatnonzero(~special & ~unused).astype(np.int32),
        )


def mask_tokens(
    token_ids: tf.RaggedTensor,
    seed: tf.Tensor | Sequence[int],
    rate: float,
    strategy: str,
    pieces: Pieces,
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Draws the tokens to predict, and replaces most of them.

    Of the tokens drawn, 80% become [MASK], 10% become a random token of the vocabulary and 10% are
    not changed. This is decided for each token alone; with "span", once for a whole span. Special
    tokens are neither drawn nor used as replacements. [UNK] is one of them, because nothing can be
    learned from it.

    Of an example of n tokens, special ones included, round(rate * n) are drawn, at least one. Words
    and spans are taken in random order. The word that crosses that number is taken if more than
    half of it is within. So the number is right on average, and long words are as likely as short
    ones.

    Args:
        token_ids: ragged int32 [examples, (tokens)].
        seed: int [2]; the same seed draws the same tokens.
        rate: the share of the tokens to draw, above 0 up to 1.
        strategy: "token", each by itself; "word", all tokens of a word together; "span", runs of
            words, whose length in words is geometric with p = 0.2 and at most 10.
        pieces: the properties of the vocabulary.

    Returns:
        The tokens with those drawn replaced, ragged int32 [examples, (tokens)]; and, in the same
        shape, 1 for a token that was drawn and 0 for others.
    """
    seeds = tf.random.split(seed, 4)
    values, example = token_ids.values, token_ids.value_rowids()

    positions = tf.where(~tf.gather(pieces.special, values))[:, 0]  # [ordinary]
    ids, row = tf.gather(values, positions), tf.gather(example, positions)  # [ordinary]
    # A text starts with an example, and after a special token.
    text_starts = _changes(positions - tf.range(tf.size(positions, tf.int64))) | _changes(row)
    if strategy == "token":
        word_starts = tf.ones_like(text_starts)
    else:
        word_starts = text_starts | ~tf.gather(pieces.continuation, ids)
    word = _number(word_starts)  # [ordinary]
    first = tf.where(word_starts)[:, 0]  # [words]
    span = tf.range(tf.size(first))  # [words], the span that each is in
    if strategy == "span":
        span = _spans(tf.gather(text_starts, first), seeds[0])
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


def _draw(
    words: tf.RaggedTensor, span: tf.Tensor, budget: tf.Tensor, seed: tf.Tensor | Sequence[int]
) -> tf.Tensor:
    """Draws words, span by span in random order, until they have the tokens wanted.

    Args:
        words: int64 ragged [examples, (words)], the number of tokens of each word.
        span: int32 [words], the number of the span that each is in.
        budget: float64 [examples], the number of tokens wanted of each example.
        seed: int [2].

    Returns:
        bool [words].
    """
    seeds = tf.random.split(seed, 3)
    sizes, row = words.values, words.value_rowids()
    # One number to sort by: the example, a random number below 2^24 for the span, and up to 2^24
    # to either side for the word. The last span may be taken in part, from its left or its right:
    # from one side alone, the words at that end would be drawn more often.
    rank = tf.random.stateless_uniform(tf.shape(span), seeds[0], 0, 1 << 24, tf.int64)
    backward = tf.random.stateless_uniform(tf.shape(span), seeds[1]) < 0.5
    number = tf.range(tf.size(span, tf.int64))
    number = tf.where(tf.gather(backward, span), -number, number)
    order = tf.argsort((row * (1 << 24) + tf.gather(rank, span)) * (1 << 25) + number)

    in_order, row_of = tf.gather(sizes, order), tf.gather(row, order)
    before = tf.cumsum(in_order, exclusive=True)
    before -= tf.gather(before, tf.gather(words.row_starts(), row_of))  # in the example
    # A word may be half within the budget and half beyond it; then a coin decides.
    coin = tf.random.stateless_uniform(tf.shape(budget), seeds[2], -0.25, 0.25, tf.float64)
    middle = tf.cast(before, tf.float64) + tf.cast(in_order, tf.float64) / 2
    taken = (middle <= tf.gather(budget + coin, row_of)) | (before == 0)
    return tf.gather(taken, tf.argsort(order))


def _spans(text_starts: tf.Tensor, seed: tf.Tensor | Sequence[int]) -> tf.Tensor:
    """Divides texts into spans of words, of the lengths that SpanBERT draws.

    Args:
        text_starts: bool [words], whether a text starts with the word.
        seed: int [2].

    Returns:
        int32 [words], the number of the span that each word is in.
    """
    share = _SPAN_STOP * (1 - _SPAN_STOP) ** np.arange(_LONGEST_SPAN)
    limits = (np.cumsum(share) / share.sum())[:-1].astype(np.float32)
    dice = tf.random.stateless_uniform(tf.shape(text_starts), seed)
    lengths = tf.searchsorted(limits, dice, "right", tf.int64) + 1  # [words]
    # A text starts with a span. Where a span ends the next one starts, as long as there are words.
    text = _number(text_starts)  # [words]
    firsts = tf.where(text_starts)[:, 0]  # [texts]
    ends = tf.concat([firsts[1:], [tf.size(text, tf.int64)]], 0)  # [texts]
    reached = tf.cumsum(lengths, exclusive=True)
    starts = reached + tf.gather(firsts - tf.gather(reached, firsts), text)  # [words]
    starts = tf.boolean_mask(starts, starts < tf.gather(ends, text))  # [spans]
    return _number(
        tf.scatter_nd(
            starts[:, tf.newaxis], tf.ones_like(starts, tf.bool), tf.shape(text, tf.int64)
        )
    )


def _changes(values: tf.Tensor) -> tf.Tensor:
    """Whether each value differs from the one before it; the first does."""
    return tf.concat([[True], values[1:] != values[:-1]], 0)[: tf.size(values)]


def _number(starts: tf.Tensor) -> tf.Tensor:
    """The number, from 0, of the group that each member is in, given where the groups start."""
    return tf.cumsum(tf.cast(starts, tf.int32)) - 1
