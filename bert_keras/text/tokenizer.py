"""BERT's tokenizer in core TensorFlow ops."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any, Self, TypeAlias

import numpy as np
import tensorflow as tf

from bert_keras import files
from bert_keras.errors import InputError
from bert_keras.text import tokenizer_files
from bert_keras.text.framing import frame
from bert_keras.text.normalizer import Normalizer
from bert_keras.text.vocabulary import (
    CLS,
    CONTINUATION,
    MASK,
    PAD,
    SEP,
    UNK,
    check_vocabulary,
    read_vocabulary,
)
from bert_keras.text.wordpiece import Trie

Strings: TypeAlias = str | bytes | Sequence[str] | Sequence[bytes] | np.ndarray | tf.Tensor


class BertTokenizer(tf.Module):
    """Turns strings into the token ids that BERT was trained on.

    The ids equal those of the original implementation for every Unicode code point. Control
    characters and bytes that are not UTF-8 are dropped. Text is lower-cased and stripped of its
    accents if `lowercase` is set, and split at white space, at punctuation and around each CJK
    character. WordPiece splits each word from left to right into the longest pieces of the
    vocabulary. A word that it cannot split, or of more than 200 characters, becomes [UNK].

    Everything is computed by core TensorFlow ops, without state. The same code therefore runs
    eagerly, in `tf.data` and inside a SavedModel, which needs no other library and no asset file.
    A tokenizer can be pickled and copied.

    Source: google-research/bert, tokenization.py; Devlin et al. 2018 (arXiv 1810.04805), section 3;
    Wu et al. 2016 (arXiv 1609.08144), section 4.1, for WordPiece.

    Example:

        >>> vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "play", "##ing", "chess"]
        >>> tokenizer = BertTokenizer(vocabulary)
        >>> tokenizer.tokenize(["Playing chess", "Chess!"]).to_list()
        [[5, 6, 7], [7, 1]]
        >>> inputs = tokenizer(["Playing chess", "Chess!"])  # the encoder's inputs
        >>> inputs["token_ids"].numpy().tolist()
        [[2, 5, 6, 7, 3], [2, 7, 1, 3, 0]]
        >>> inputs["example_ids"].numpy().tolist()
        [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]]

    Args:
        vocabulary: the path of a vocab.txt, or its tokens in the order of their ids.
        lowercase: whether to lower-case text and strip its accents, as the uncased and the Chinese
            models need. Default True, as in the original.
        max_length: the number of tokens, special ones included, to which `encode` truncates.
            Default 512, the number of positions of the published models.
        protect_special_tokens: whether "[PAD]", "[UNK]", "[CLS]", "[SEP]" and "[MASK]" in the text
            become those special tokens. Default False, as in the original, so that untrusted text
            cannot contain special tokens. Hugging Face's tokenizers behave as True, which text with
            a [MASK] to fill in needs.

    Attributes:
        pad_id, unk_id, cls_id, sep_id, mask_id: ids of the special tokens.

    Raises:
        InputError: the vocabulary is not valid (see `vocabulary.check_vocabulary`).
    """

    def __init__(
        self,
        vocabulary: str | os.PathLike[str] | Sequence[str],
        lowercase: bool = True,
        max_length: int = 512,
        protect_special_tokens: bool = False,
    ) -> None:
        super().__init__()
        if isinstance(vocabulary, str | os.PathLike):
            self._tokens = tuple(read_vocabulary(vocabulary))
        else:
            self._tokens = tuple(check_vocabulary(vocabulary))
        self.lowercase = bool(lowercase)
        self.max_length = int(max_length)
        self.protect_special_tokens = bool(protect_special_tokens)
        self.pad_id, self.unk_id, self.cls_id, self.sep_id, self.mask_id = map(
            self._tokens.index, (PAD, UNK, CLS, SEP, MASK)
        )
        with tf.device("cpu"):
            self._trie = Trie(self._tokens, self.protect_special_tokens)
            self._normalizer = Normalizer(
                self._trie.symbols, self.lowercase, self.protect_special_tokens
            )
            self._surfaces = tf.constant([_surface(token) for token in self._tokens])
        signature = [tf.TensorSpec([None], tf.string)]
        self._tokenize = tf.function(self._tokenize_batch, signature, autograph=False)
        self._locate = tf.function(self._locate_batch, signature, autograph=False)

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        """Pickles the constructor's arguments, since TensorFlow's functions cannot be pickled."""
        return type(self), (
            self.vocabulary,
            self.lowercase,
            self.max_length,
            self.protect_special_tokens,
        )

    @classmethod
    def from_pretrained(cls, reference: str | os.PathLike[str], **changes: Any) -> Self:
        """Reads the tokenizer of a pretrained model.

        The casing is `do_lower_case` in tokenizer_config.json. Where the folder does not say, as in
        Google's layout, it is guessed: a vocabulary that has words with capitals is cased. The
        maximum length is the smaller of `model_max_length` and the model's
        `max_position_embeddings`, 512 if neither is given.

        Args:
            reference: a folder in Hugging Face's layout (vocab.txt or tokenizer.json, and
                tokenizer_config.json), Google's (vocab.txt, bert_config.json) or KerasHub's, or
                `pkg://package/path` for a folder inside a Python package.
            **changes: arguments of the constructor that override what the folder says.

        Returns:
            The tokenizer.

        Raises:
            InputError: a file is missing or damaged, or asks for something that this tokenizer does
                not support.
        """
        folder = files.resolve(reference)
        tokens = tokenizer_files.read_tokens(folder)
        return cls(tokens, **{**tokenizer_files.read_settings(folder, tokens), **changes})

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes vocab.txt and tokenizer_config.json as Hugging Face's BertTokenizer reads them.

        Args:
            folder: the folder; created if it does not exist.

        Raises:
            OSError: a file cannot be written.
        """
        settings: tokenizer_files.TokenizerSettings = {
            "lowercase": self.lowercase,
            "max_length": self.max_length,
            "protect_special_tokens": self.protect_special_tokens,
        }
        tokenizer_files.write(pathlib.Path(folder), self.vocabulary, settings)

    @property
    def vocabulary(self) -> list[str]:
        """The tokens; the id of a token is its index."""
        return list(self._tokens)

    def tokenize(self, strings: Strings) -> tf.RaggedTensor:
        """Returns the token ids of each string, without [CLS] and [SEP].

        Args:
            strings: a string, a list or an array of strings, or a string tensor [batch] or [].

        Returns:
            int32 ragged [batch, (tokens)].
        """
        return self._tokenize(_batch_of(strings))

    def tokenize_with_offsets(
        self, strings: Strings
    ) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        """Returns the token ids of each string and the offsets of each token in it.

        Args:
            strings: a string, a list or an array of strings, or a string tensor [batch] or [].

        Returns:
            ids, starts and ends, each int32 ragged [batch, (tokens)]. A token comes from the code
            points [start, end) of the raw string, which are the indices of a Python str. Invalid
            bytes count as in `bytes.decode("utf-8", "replace")`.
        """
        return self._locate(_batch_of(strings))

    def encode(
        self, texts: Strings, pairs: Strings | None = None, max_length: int | None = None
    ) -> dict[str, tf.RaggedTensor | tf.Tensor]:
        """Returns BERT's input sequences: [CLS] text [SEP], or [CLS] text [SEP] pair [SEP].

        Sequences of more than `max_length` tokens are truncated as by the original's
        `_truncate_seq_pair`: tokens are removed one by one from the end of the longer text, or of
        the pair's second text where both are equally long.

        Args:
            texts: a string, a list or an array of strings, or a string tensor [batch] or [].
            pairs: the second text of each pair, as many as `texts`, or None.
            max_length: the number of tokens to truncate to, [CLS] and [SEP] included. Default: the
                tokenizer's `max_length`.

        Returns:
            dict of `token_ids` and `segment_ids` (0 up to the first [SEP], then 1), int32 ragged
            [batch, (tokens)], and `truncated`, int32 [batch], the number of tokens removed.

        Raises:
            InputError: `max_length` is less than the number of special tokens, or the number of
                pairs differs from that of the texts.
        """
        max_length = self.max_length if max_length is None else max_length
        specials = 2 if pairs is None else 3
        if max_length < specials:
            raise InputError(
                f"expected at least {specials} for [CLS] and [SEP], found {max_length}.",
                field="max_length",
            )
        batch = _batch_of(texts)
        first, second = self._tokenize(batch), None
        if pairs is not None:
            second_batch = _batch_of(pairs)
            if not batch.shape.is_compatible_with(second_batch.shape):
                raise InputError(
                    f"expected as many as texts, {batch.shape[0]}, found {second_batch.shape[0]}.",
                    field="pairs",
                )
            second = self._tokenize(second_batch)
        with tf.device("cpu"):
            return frame(first, second, max_length - specials, self.cls_id, self.sep_id)

    def __call__(
        self, texts: Strings, pairs: Strings | None = None, max_length: int | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns the encoder's inputs, one example per row, padded to the longest of the batch.

        Args:
            texts: a string, a list or an array of strings, or a string tensor [batch] or [].
            pairs: the second text of each pair, as many as `texts`, or None.
            max_length: the number of tokens to truncate to, [CLS] and [SEP] included. Default: the
                tokenizer's `max_length`.

        Returns:
            dict of `token_ids`, `segment_ids`, `position_ids` and `example_ids` (1, or 0 for
            padding), each int32 [batch, length]. The length is at least 2, even for an empty batch.

        Raises:
            InputError: see `encode`.
        """
        encoded = self.encode(texts, pairs, max_length)
        lengths = encoded["token_ids"].row_lengths()
        length = tf.reduce_max(tf.concat([lengths, [2]], 0))
        shape = tf.stack([-1, length])
        example_ids = tf.sequence_mask(lengths, length, tf.int32)  # [batch, length]
        return {
            "token_ids": encoded["token_ids"].to_tensor(self.pad_id, shape=shape),
            "segment_ids": encoded["segment_ids"].to_tensor(0, shape=shape),
            "position_ids": tf.range(tf.cast(length, tf.int32)) * example_ids,
            "example_ids": example_ids,
        }

    def detokenize(self, ids: tf.Tensor | tf.RaggedTensor | Sequence[Sequence[int]]) -> tf.Tensor:
        """Joins tokens to text, with a space between words and none before a "##" piece.

        [CLS], [SEP] and [PAD] are left out. [UNK] and [MASK] are kept, since they stand for text.
        The text is not the original one: it lacks the capitals and accents that `lowercase`
        removed, and has a space before punctuation.

        Args:
            ids: int [batch, tokens], a dense or a ragged tensor, or a list of lists.

        Returns:
            string [batch].
        """
        if isinstance(ids, list | tuple):
            ids = tf.ragged.constant(ids, tf.int32)
        return tf.strings.strip(tf.strings.reduce_join(tf.gather(self._surfaces, ids), axis=-1))

    def _tokenize_batch(self, strings: tf.Tensor) -> tf.RaggedTensor:
        with tf.device("cpu"):
            row_splits, indices, codes = _distinct_chunks(strings)
            tokens = self._cut(codes)
            ids = tf.gather(tokens.with_values(tokens.values[:, 0]), indices)  # [chunks, (tokens)]
            return _in_rows(ids.values, tf.gather(ids.row_splits, row_splits))

    def _locate_batch(
        self, strings: tf.Tensor
    ) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        with tf.device("cpu"):
            row_splits, indices, codes = _distinct_chunks(strings)
            tokens = tf.gather(self._cut(codes), indices)  # [chunks, (tokens), 3]
            # The offset of each chunk in its string: after the previous chunks and their spaces.
            widths = tf.gather(codes.row_lengths(), indices) + 1
            offsets = tf.cumsum(tf.concat([[0], widths], 0))  # [chunks + 1]
            row_lengths = row_splits[1:] - row_splits[:-1]
            offsets = offsets[:-1] - tf.repeat(tf.gather(offsets, row_splits[:-1]), row_lengths)
            shift = tf.cast(tf.repeat(offsets, tokens.row_lengths()), tf.int32)  # [tokens]
            ids, starts, ends = tf.unstack(tokens.values, axis=1)
            splits = tf.gather(tokens.row_splits, row_splits)
            return (
                _in_rows(ids, splits),
                _in_rows(starts + shift, splits),
                _in_rows(ends + shift, splits),
            )

    def _cut(self, codes: tf.RaggedTensor) -> tf.RaggedTensor:
        """Splits strings into tokens.

        Args:
            codes: int32 ragged [strings, (codes)], their code points.

        Returns:
            int32 ragged [strings, (tokens), 3]: id, start and end in code points of the string.
        """
        symbols, is_start, is_space, origins = self._normalizer(codes.values, codes.row_splits)
        is_token_start, ids, lengths = self._trie.cut(symbols, is_start)
        tokens = tf.where(is_token_start & ~is_space)[:, 0]
        first = tf.gather(origins, tokens)
        last = tf.gather(origins, tokens + tf.cast(tf.gather(lengths, tokens), tf.int64) - 1)
        splits = tf.searchsorted(first, codes.row_splits, out_type=tf.int64)
        offsets = tf.repeat(codes.row_splits[:-1], splits[1:] - splits[:-1])  # [tokens]
        columns = [tf.cast(tf.gather(ids, tokens), tf.int64), first - offsets, last - offsets + 1]
        return _in_rows(tf.cast(tf.stack(columns, 1), tf.int32), splits)


def _surface(token: str) -> str:
    """Returns what a token contributes to a text, the space before a word included."""
    if token in (PAD, CLS, SEP):
        return ""
    if token.startswith(CONTINUATION):
        return token.removeprefix(CONTINUATION)
    return " " + token


def _batch_of(strings: Strings) -> tf.Tensor:
    return tf.reshape(tf.convert_to_tensor(strings, tf.string), [-1])


def _in_rows(values: tf.Tensor, row_splits: tf.Tensor) -> tf.RaggedTensor:
    return tf.RaggedTensor.from_row_splits(values, row_splits, validate=False)


def _distinct_chunks(strings: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.RaggedTensor]:
    """Splits strings at spaces and finds the distinct chunks.

    Chunks are tokenized independently, and most of a batch's chunks repeat: the costly steps are
    done once for each distinct chunk.

    Args:
        strings: string [batch].

    Returns:
        row_splits: int64 [batch + 1], the index at which each string's chunks start.
        indices: int32 [chunks], the index of each chunk among the distinct ones.
        codes: int32 ragged [distinct, (codes)], the code points of the distinct chunks.
    """
    # The raw op: tf.strings.split takes four times as long, to validate the rows.
    chunks = tf.raw_ops.StringSplitV2(input=strings, sep=" ", maxsplit=-1)
    rows = tf.range(tf.size(strings, tf.int64) + 1)
    row_splits = tf.searchsorted(chunks.indices[:, 0], rows, out_type=tf.int64)
    distinct, indices = tf.unique(chunks.values)
    return row_splits, indices, tf.strings.unicode_decode(distinct, "UTF-8")
