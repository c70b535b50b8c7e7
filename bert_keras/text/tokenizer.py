"""BERT's tokenizer in core TensorFlow ops."""

import os
import pathlib

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


class BertTokenizer(tf.Module):
    """Turns strings into the token ids that BERT was trained on.

    The ids are those of the original algorithm (google-research/bert, tokenization.py) on every
    code point: control characters dropped, CJK characters set apart, lower-cased and stripped of
    accents if `lowercase`, split at white space and punctuation, and each word cut from the left
    into the longest pieces of the vocabulary, or [UNK] if it cannot be or is longer than 200
    characters. Bytes that are not UTF-8 are dropped.

    All of it is a pure function of the strings in TensorFlow's own ops, so the same code runs in
    `tf.data` and inside a SavedModel, which then needs no other library and no asset file.

    Example:

        tokenizer = BertTokenizer.from_pretrained("uncased_L-12_H-768_A-12")
        tokenizer(["This is a sample sentence."])  # the encoder's inputs
        tokenizer.tokenize(["This is a sample sentence."])  # only the ids, ragged

    Args:
        vocabulary: path of a vocab.txt, or its tokens as a list of str.
        lowercase: whether text is lower-cased and loses its accents, as for the uncased and the
            Chinese models. Default True, as in the original.
        max_length: tokens, special ones included, to which `encode` truncates. Default 512, the
            positions of the published models.
        protect_special_tokens: whether [PAD], [UNK], [CLS], [SEP] and [MASK], written so in the
            text, are read as those tokens. Default False, as in the original: a stranger's text
            cannot hold them. True is what Hugging Face does, and what text with a [MASK] to fill
            in needs.

    Raises:
        InputError: the vocabulary cannot be used (see `vocabulary.check_vocabulary`).
    """

    def __init__(self, vocabulary, lowercase=True, max_length=512, protect_special_tokens=False):
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
            self._spelling = tf.constant([self._spelled(token) for token in self._tokens])
        signature = [tf.TensorSpec([None], tf.string)]
        self._tokenize = tf.function(self._tokenize_batch, signature, autograph=False)
        self._locate = tf.function(self._locate_batch, signature, autograph=False)

    @classmethod
    def from_pretrained(cls, reference, **changes):
        """Reads the tokenizer of a pretrained model.

        Args:
            reference: a folder in Hugging Face's layout (vocab.txt or tokenizer.json, and
                tokenizer_config.json) or in Google's (vocab.txt, bert_config.json), or
                `pkg://package/path`.
            **changes: arguments of the constructor that take precedence over the folder's.

        Casing is tokenizer_config.json's `do_lower_case`. Where that is not given, as in Google's
        layout, it is guessed: a vocabulary that has words with capitals is a cased one. The length
        is the smaller of `model_max_length` and the model's `max_position_embeddings`, 512 where
        neither says.

        Raises:
            InputError: a file is missing or broken, or asks for what this tokenizer does not do.
        """
        folder = files.resolve(reference)
        tokens = tokenizer_files.read_tokens(folder)
        return cls(tokens, **{**tokenizer_files.read(folder, tokens), **changes})

    def save(self, folder):
        """Writes vocab.txt and tokenizer_config.json as Hugging Face's BertTokenizer reads them.

        Args:
            folder: where; made if it is not there.
        """
        tokenizer_files.write(pathlib.Path(folder), self)

    @property
    def vocabulary(self):
        """The tokens, a list of str; a token's place in it is its id."""
        return list(self._tokens)

    def tokenize(self, strings):
        """Returns the ids of each string, without [CLS] and [SEP].

        Args:
            strings: a str, a list of str, or a string tensor [batch] or [].

        Returns:
            int32 ragged [batch, (tokens)].
        """
        return self._tokenize(_batch_of(strings))

    def tokenize_with_offsets(self, strings):
        """As `tokenize`, and says where each token stands in the raw string.

        Args:
            strings: a str, a list of str, or a string tensor [batch] or [].

        Returns:
            ids, begins and ends, each int32 ragged [batch, (tokens)]. A token was made from the
            code points [begin, end) of the raw string, which is how Python indexes a str. Invalid
            bytes count as in `bytes.decode("utf-8", "replace")`.
        """
        return self._locate(_batch_of(strings))

    def encode(self, texts, pairs=None, max_length=None):
        """Frames the ids as BERT reads them: [CLS] text [SEP], or [CLS] text [SEP] pair [SEP].

        What exceeds `max_length` is cut as by the original's `_truncate_seq_pair`: token by token
        from the end of the longer one, and of the pair where both are equally long.

        Args:
            texts: a str, a list of str, or a string tensor [batch] or [].
            pairs: the second texts, as many, or None.
            max_length: how many tokens at most, [CLS] and [SEP] included. Default: the tokenizer's.

        Returns:
            dict of `token_ids` and `segment_ids` (0 up to the first [SEP], then 1), int32 ragged
            [batch, (tokens)], and `truncated`, int32 [batch], how many tokens were cut.

        Raises:
            InputError: `max_length` leaves no room for text, or there are not as many pairs.
        """
        max_length = self.max_length if max_length is None else max_length
        specials = 2 if pairs is None else 3
        if max_length < specials:
            raise InputError(
                f"max_length: expected at least {specials} for [CLS] and [SEP], found {max_length}."
            )
        texts = _batch_of(texts)
        first, second = self._tokenize(texts), None
        if pairs is not None:
            pairs = _batch_of(pairs)
            if not texts.shape.is_compatible_with(pairs.shape):
                raise InputError(
                    f"pairs: expected as many as texts, {texts.shape[0]}, found {pairs.shape[0]}."
                )
            second = self._tokenize(pairs)
        with tf.device("cpu"):
            return frame(first, second, max_length - specials, self.cls_id, self.sep_id)

    def __call__(self, texts, pairs=None, max_length=None):
        """Makes the encoder's inputs, one example a row, padded to the longest of the batch.

        Args:
            texts: a str, a list of str, or a string tensor [batch] or [].
            pairs: the second texts, as many, or None.
            max_length: how many tokens at most, [CLS] and [SEP] included. Default: the tokenizer's.

        Returns:
            dict of `token_ids`, `segment_ids`, `position_ids` and `example_ids` (1, and 0 for
            padding), each int32 [batch, length]. The length is at least 2, for an empty batch too.
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

    def detokenize(self, ids):
        """Joins tokens to text, a space between words and none before a "##" piece.

        The frame ([CLS], [SEP], [PAD]) is left out; [UNK] and [MASK] stay, for they stand for text.
        Capitals and accents that were taken away do not come back, and punctuation keeps the space
        before it.

        Args:
            ids: int [batch, tokens], a tensor, dense or ragged, or a list of lists.

        Returns:
            string [batch].
        """
        if isinstance(ids, list | tuple):
            ids = tf.ragged.constant(ids, tf.int32)
        return tf.strings.strip(tf.strings.reduce_join(tf.gather(self._spelling, ids), axis=-1))

    @staticmethod
    def _spelled(token):
        if token in (PAD, CLS, SEP):
            return ""
        if token.startswith(CONTINUATION):
            return token.removeprefix(CONTINUATION)
        return " " + token

    def _tokenize_batch(self, strings):
        with tf.device("cpu"):
            row_splits, which, codes = _distinct_chunks(strings)
            tokens = self._cut(codes)
            ids = tf.gather(tokens.with_values(tokens.values[:, 0]), which)  # [chunks, (tokens)]
            return _in_rows(ids.values, tf.gather(ids.row_splits, row_splits))

    def _locate_batch(self, strings):
        with tf.device("cpu"):
            row_splits, which, codes = _distinct_chunks(strings)
            tokens = tf.gather(self._cut(codes), which)  # [chunks, (tokens), 3]
            # Where each chunk stands in its string: after the others and a space for each.
            widths = tf.gather(codes.row_lengths(), which) + 1
            starts = tf.cumsum(tf.concat([[0], widths], 0))  # [chunks + 1]
            row_lengths = row_splits[1:] - row_splits[:-1]
            starts = starts[:-1] - tf.repeat(tf.gather(starts, row_splits[:-1]), row_lengths)
            shift = tf.cast(tf.repeat(starts, tokens.row_lengths()), tf.int32)  # [tokens]
            ids, begins, ends = tf.unstack(tokens.values, axis=1)
            splits = tf.gather(tokens.row_splits, row_splits)
            return tuple(_in_rows(part, splits) for part in (ids, begins + shift, ends + shift))

    def _cut(self, codes):
        """Cuts strings into tokens.

        Args:
            codes: int32 ragged [strings, (codes)], their code points.

        Returns:
            int32 ragged [strings, (tokens), 3]: id, begin and end in code points of the string.
        """
        symbols, begins, spaces, origins = self._normalizer(codes.values, codes.row_splits)
        marked, ids, lengths = self._trie.cut(symbols, begins)
        tokens = tf.where(marked & ~spaces)[:, 0]
        first = tf.gather(origins, tokens)
        last = tf.gather(origins, tokens + tf.cast(tf.gather(lengths, tokens), tf.int64) - 1)
        splits = tf.searchsorted(first, codes.row_splits, out_type=tf.int64)
        starts = tf.repeat(codes.row_splits[:-1], splits[1:] - splits[:-1])  # [tokens]
        columns = [tf.cast(tf.gather(ids, tokens), tf.int64), first - starts, last - starts + 1]
        return _in_rows(tf.cast(tf.stack(columns, 1), tf.int32), splits)


def _batch_of(strings):
    return tf.reshape(tf.convert_to_tensor(strings, tf.string), [-1])


def _in_rows(values, row_splits):
    return tf.RaggedTensor.from_row_splits(values, row_splits, validate=False)


def _distinct_chunks(strings):
    """Splits at spaces, where the words around are independent, and leaves out repetitions.

    Most of a batch's words are repeated, and all that is costly is then done once for each.

    Args:
        strings: string [batch].

    Returns:
        row_splits: int64 [batch + 1], where each string's chunks begin.
        which: int32 [chunks], which of the distinct ones it is.
        codes: int32 ragged [distinct, (codes)], the code points of the distinct chunks.
    """
    # The op itself: tf.strings.split spends four times its time on checking the rows it got.
    chunks = tf.raw_ops.StringSplitV2(input=strings, sep=" ", maxsplit=-1)
    rows = tf.range(tf.size(strings, tf.int64) + 1)
    row_splits = tf.searchsorted(chunks.indices[:, 0], rows, out_type=tf.int64)
    distinct, which = tf.unique(chunks.values)
    return row_splits, which, tf.strings.unicode_decode(distinct, "UTF-8")
