"""Texts as examples for the encoder, with their words and labels."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence

import tensorflow as tf

from bert_keras.data.tables import shorten
from bert_keras.tasks.tagging.examples import TaggedTexts
from bert_keras.tasks.tagging.windows import WindowedTexts, split, window_texts
from bert_keras.tasks.tagging.words import (
    Truth,
    Words,
    starts_word,
    truth_of,
    words_of_file,
    words_of_tokens,
)
from bert_keras.text.tokenizer import BertTokenizer

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TaggedExamples:
    """Texts with everything that their scores and predictions need. An example is a window.

    Attributes:
        texts: the texts.
        windowed: their tokens and windows.
        words: the words that tags belong to.
        truth: the labels; None for texts without.
    """

    texts: TaggedTexts
    windowed: WindowedTexts
    words: Words
    truth: Truth | None

    def __len__(self) -> int:
        return len(self.windowed.examples)

    def evaluation_batches(self, batch_size: int) -> tf.data.Dataset:
        """See `EvaluationSet.evaluation_batches`."""
        return self.windowed.examples.evaluation_batches(batch_size)


def encode_texts(
    tokenizer: BertTokenizer,
    texts: TaggedTexts,
    types: Sequence[str],
    max_length: int,
    own_words: bool = True,
) -> TaggedExamples:
    """Tokenizes texts, splits them into windows and computes the tags of their words.

    Args:
        tokenizer: the tokenizer.
        texts: the texts, at least one.
        types: the names of the types, in the order of their indices.
        max_length: the most tokens that a window may have, special tokens included.
        own_words: whether words are those that the texts' file defines, where it does. Otherwise
            they are the tokenizer's.

    Returns:
        The examples.
    """
    windowed = window_texts(tokenizer, texts.texts, max_length)
    if own_words and texts.words is not None:
        words = words_of_file(texts.words, windowed.starts, texts.texts)
    else:
        is_start = starts_word(tokenizer.vocabulary)
        words = words_of_tokens(windowed.ids, windowed.starts, windowed.ends, is_start)
    truth = None
    if texts.entities is not None:
        truth = truth_of(words, texts.texts, texts.entities, types)
        _report_split(texts, truth)
    return TaggedExamples(texts, windowed, words, truth)


def labels_of_tokens(examples: TaggedExamples) -> tf.Tensor:
    """Returns the label of each token of each window.

    Args:
        examples: labelled texts.

    Returns:
        int32 [windows, longest]: the tag of a word at its first token, in the window in which that
        token has the most context; -1 elsewhere.
    """
    assert examples.truth is not None
    ids, token = examples.windowed.ids, examples.words.token
    tags = tf.scatter_nd(
        token[:, tf.newaxis], examples.truth.tags + 1, [tf.size(ids.values, tf.int64)]
    )  # [tokens], 0 for none
    return split(ids.with_values(tags - 1), examples.windowed.windows)


def _report_split(texts: TaggedTexts, truth: Truth) -> None:
    """Logs how many entities do not consist of entire words."""
    if not len(truth.split):
        return
    text, start, end, _ = truth.spans[truth.split[0]]
    _log.warning(
        "%d of %d entities start or end inside a word or have no word, the first in %s, %s from "
        "%d to %d. They are learned as entire words, and in scores no prediction equals them.",
        len(truth.split),
        len(truth.spans),
        texts.locations[text],
        shorten(texts.texts[text][start:end]),
        start,
        end,
    )
