"""Normalises text: raw code points to characters of the vocabulary's alphabet, split into words."""

from collections.abc import Mapping

import tensorflow as tf

from bert_keras.text import characters
from bert_keras.text.characters import BREAK_AFTER, BREAK_BEFORE, SPACE
from bert_keras.text.vocabulary import SPECIAL_TOKENS

right_shift = tf.bitwise.right_shift
_SIGMA, _FINAL_SIGMA = ord("Σ"), ord("ς")


class Normalizer(tf.Module):
    """Cleans text, lower-cases it and splits it into words.

    Source: `BasicTokenizer` of google-research/bert, tokenization.py.

    Args:
        symbols: maps a code point to its number in the vocabulary's alphabet, from 1.
        lowercase: whether to lower-case text and strip its accents.
        protect_special_tokens: whether a special token that is written in the text becomes one
            word of protected characters.
    """

    def __init__(
        self, symbols: Mapping[int, int], lowercase: bool, protect_special_tokens: bool
    ) -> None:
        super().__init__()
        table = characters.character_table(lowercase, symbols)
        self._pages = tf.constant(table.pages)
        self._entries = tf.constant(table.entries)
        self._outputs = tf.constant(table.outputs)
        self._lowercase = lowercase
        self._protect = protect_special_tokens

    def __call__(
        self, codes: tf.Tensor, row_splits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Normalises strings.

        Args:
            codes: int32 [codes], the concatenated code points of all strings.
            row_splits: int64 [strings + 1], the index in `codes` at which each string starts.

        Returns:
            symbols: int32 [characters], numbers in the alphabet, 0 for a character not in it.
            is_start: bool [characters], whether the character starts a word.
            is_space: bool [characters], whether it is white space, which is a word by itself.
            origins: int64 [characters], the index in `codes` that the character comes from.
        """
        if self._protect:
            codes = _protect_special_tokens(codes, row_splits)
        if self._lowercase:
            codes = tf.cond(
                tf.reduce_any(codes == _SIGMA),
                lambda: self._with_final_sigmas(codes, row_splits),
                lambda: codes,
            )
        outputs = tf.gather(
            self._outputs, right_shift(self._look_up(codes), characters.KIND_BITS)
        )  # [codes, width]
        index = tf.where(outputs >= 0)  # [characters, 2]
        outputs = tf.gather_nd(outputs, index)  # [characters]
        origins = index[:, 0]

        # A word starts at a break before a character, after one, and at the start of a string.
        before, after = (tf.cast(outputs & bit, tf.bool) for bit in (BREAK_BEFORE, BREAK_AFTER))
        is_start = before | tf.concat([[True], after], 0)[:-1]
        firsts = tf.searchsorted(origins, row_splits)
        is_start = tf.tensor_scatter_nd_update(
            tf.concat([is_start, [True]], 0),
            firsts[:, tf.newaxis],
            tf.ones_like(firsts, tf.bool),
        )[:-1]
        is_space = tf.cast(outputs & SPACE, tf.bool)
        return right_shift(outputs, characters.FLAG_BITS), is_start, is_space, origins

    def _look_up(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the table's entry of each code point."""
        page = tf.gather(self._pages, codes // characters.PAGE)
        return tf.gather(self._entries, page + codes % characters.PAGE)

    def _with_final_sigmas(self, codes: tf.Tensor, row_splits: tf.Tensor) -> tf.Tensor:
        """Replaces Σ by ς as `str.lower` does: after a cased letter and not before one."""
        kinds = self._look_up(codes) & (1 << characters.KIND_BITS) - 1
        counted = tf.where(kinds != characters.SKIPPED)[:, 0]
        cased = tf.gather(kinds, counted) == characters.CASED
        string = tf.gather(_string_of(codes, row_splits), counted)
        neighbours = string[1:] == string[:-1]
        after_cased = tf.concat([[False], cased[:-1] & neighbours], 0)[: tf.size(counted)]
        before_cased = tf.concat([cased[1:] & neighbours, [False]], 0)[: tf.size(counted)]
        is_final = after_cased & ~before_cased & (tf.gather(codes, counted) == _SIGMA)
        finals = tf.boolean_mask(counted, is_final)
        return tf.tensor_scatter_nd_update(
            codes, finals[:, tf.newaxis], tf.fill(tf.shape(finals), _FINAL_SIGMA)
        )


def _string_of(codes: tf.Tensor, row_splits: tf.Tensor) -> tf.Tensor:
    """Returns the index of the string that each code point belongs to, int64 [codes]."""
    return tf.RaggedTensor.from_row_splits(codes, row_splits, validate=False).value_rowids()


def _protect_special_tokens(codes: tf.Tensor, row_splits: tf.Tensor) -> tf.Tensor:
    """Replaces the characters of each special token in the text by protected ones."""
    lengths = [len(token) for token in SPECIAL_TOKENS]
    patterns = [[*map(ord, token.ljust(max(lengths), "\0"))] for token in SPECIAL_TOKENS]
    origins = tf.where(codes == ord("["))  # [brackets, 1]
    windows = tf.gather(
        tf.pad(codes, [[0, max(lengths)]]), origins + tf.range(max(lengths), dtype=tf.int64)
    )  # [brackets, width]
    same = (windows[:, tf.newaxis] == patterns) | (tf.constant(patterns) == 0)
    matches = tf.where(tf.reduce_all(same, -1))  # [matches, 2]: index of bracket, index of token
    starts = tf.gather(origins[:, 0], matches[:, 0])
    ends = starts + tf.gather(tf.constant(lengths, tf.int64), matches[:, 1])
    # The strings are concatenated: a token must not span two of them.
    inside = tf.searchsorted(row_splits, starts, "right") == tf.searchsorted(row_splits, ends)
    edges = tf.concat([tf.boolean_mask(starts, inside), tf.boolean_mask(ends, inside)], 0)
    signs = tf.where(tf.range(tf.size(edges)) < tf.size(edges) // 2, 1, -1)
    within = tf.cumsum(tf.scatter_nd(edges[:, tf.newaxis], signs, [tf.size(codes) + 1]))[:-1]
    return codes + within * characters.PROTECTED
