"""Texts as overlapping windows that fit the encoder, and the windows' outputs as texts again."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from bert_keras.data.batches import EncodedExamples
from bert_keras.text.framing import frame
from bert_keras.text.tokenizer import BertTokenizer
from bert_keras.text.windows import Windows, cut, has_most_context, take

_ENCODE_BATCH = 1024
_SPECIALS = 2  # [CLS] and [SEP]


@dataclasses.dataclass(frozen=True)
class WindowedTexts:
    """Tokenized texts and their windows.

    Attributes:
        ids: ragged int32 [texts, (tokens)], without special tokens.
        starts: likewise, the code point of its text at which each token starts.
        ends: likewise, the code point after it.
        windows: the windows of all texts.
        examples: the windows as the encoder reads them.
    """

    ids: tf.RaggedTensor
    starts: tf.RaggedTensor
    ends: tf.RaggedTensor
    windows: Windows
    examples: EncodedExamples


def window_texts(tokenizer: BertTokenizer, texts: Sequence[str], max_length: int) -> WindowedTexts:
    """Tokenizes texts on all cores and splits them into windows.

    Args:
        tokenizer: the tokenizer.
        texts: the texts, at least one.
        max_length: the most tokens that a window may have, [CLS] and [SEP] included.

    Returns:
        The texts and their windows.
    """
    pieces = (
        tf.data.Dataset.from_tensor_slices(tf.constant(texts, tf.string))
        .batch(_ENCODE_BATCH)
        .map(tokenizer.tokenize_with_offsets, num_parallel_calls=tf.data.AUTOTUNE)
    )
    options = tf.data.Options()
    options.threading.max_intra_op_parallelism = 1  # see `data.batches.encode`
    pieces = list(pieces.with_options(options))
    ids, starts, ends = (tf.concat(column, axis=0) for column in zip(*pieces, strict=True))
    windows, framed = frame_windows(tokenizer, ids, max_length)
    return WindowedTexts(
        ids, starts, ends, windows, EncodedExamples(framed["token_ids"], framed["segment_ids"], 0)
    )


def frame_windows(
    tokenizer: BertTokenizer, ids: tf.RaggedTensor, max_length: int
) -> tuple[Windows, dict[str, tf.RaggedTensor]]:
    """Splits texts into windows that overlap by half, each framed as [CLS] tokens [SEP].

    Args:
        tokenizer: the tokenizer, for the ids of [CLS] and [SEP].
        ids: ragged int32 [texts, (tokens)].
        max_length: the most tokens that a window may have, [CLS] and [SEP] included.

    Returns:
        The windows, and a dict of `token_ids` and `segment_ids`, ragged int32 [windows, (tokens)].
    """
    max_tokens = max_length - _SPECIALS
    lengths = tf.cast(ids.row_lengths(), tf.int32)
    windows = cut(lengths, max_tokens, max(1, max_tokens // 2))
    tokens = take(ids, windows)
    return windows, frame(tokens, None, max_tokens, tokenizer.cls_id, tokenizer.sep_id)


def merge(values: tf.RaggedTensor, windows: Windows) -> tf.Tensor:
    """Gathers a value of each token from the window in which the token has the most context.

    Args:
        values: ragged [windows, (tokens), ...], [CLS] and [SEP] included.
        windows: the windows.

    Returns:
        [tokens, ...] of all texts, in one sequence.
    """
    return tf.boolean_mask(values[:, 1:-1].values, has_most_context(windows).values)


def split(values: tf.RaggedTensor, windows: Windows) -> tf.Tensor:
    """Scatters a value of each token to the window in which the token has the most context.

    Args:
        values: ragged int32 [texts, (tokens)].
        windows: the windows.

    Returns:
        int32 [windows, longest]; -1 for the token in other windows, for [CLS], [SEP] and padding.
    """
    of_windows = take(values, windows)
    has_most = has_most_context(windows).values
    of_windows = of_windows.with_values(tf.where(has_most, of_windows.values, -1))
    return tf.pad(of_windows.to_tensor(-1), [[0, 0], [1, 1]], constant_values=-1)
