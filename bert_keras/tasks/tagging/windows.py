"""Texts as windows that an encoder takes, and back: none is ever cut short."""

import dataclasses

import tensorflow as tf

from bert_keras.data.batches import EncodedExamples
from bert_keras.text import windows as text_windows
from bert_keras.text.framing import frame

_ENCODE_BATCH = 1024
_SPECIALS = 2  # [CLS] and [SEP]


@dataclasses.dataclass(frozen=True)
class WindowedTexts:
    """Texts as tokens, and the windows that show them.

    Attributes:
        ids, begins, ends: ragged int32 [texts, (tokens)], as `tokenize_with_offsets` gives them.
        windows: the `Windows` of all texts.
        examples: `EncodedExamples` of the windows.
    """

    ids: tf.RaggedTensor
    begins: tf.RaggedTensor
    ends: tf.RaggedTensor
    windows: text_windows.Windows
    examples: EncodedExamples


def window_texts(tokenizer, texts, max_length):
    """Tokenizes texts on all cores, and cuts them into windows.

    Args:
        tokenizer: a `BertTokenizer`.
        texts: list of str.
        max_length: tokens that a window may have, [CLS] and [SEP] included.

    Returns:
        `WindowedTexts`.
    """
    pieces = (
        tf.data.Dataset.from_tensor_slices(tf.constant(texts, tf.string))
        .batch(_ENCODE_BATCH)
        .map(tokenizer.tokenize_with_offsets, num_parallel_calls=tf.data.AUTOTUNE)
    )
    options = tf.data.Options()
    options.threading.max_intra_op_parallelism = 1  # see `pipeline.encode`
    pieces = list(pieces.with_options(options))
    ids, begins, ends = (tf.concat(parts, axis=0) for parts in zip(*pieces, strict=True))
    windows, framed = frame_windows(tokenizer, ids, max_length)
    return WindowedTexts(
        ids, begins, ends, windows, EncodedExamples(framed["token_ids"], framed["segment_ids"], 0)
    )


def frame_windows(tokenizer, ids, max_length):
    """Cuts texts into windows that overlap by half, each framed as [CLS] tokens [SEP].

    Args:
        tokenizer: a `BertTokenizer`.
        ids: ragged int32 [texts, (tokens)].
        max_length: tokens that a window may have, [CLS] and [SEP] included.

    Returns:
        `Windows`, and a dict of `token_ids` and `segment_ids`, ragged int32 [windows, (tokens)].
    """
    room = max_length - _SPECIALS
    lengths = tf.cast(ids.row_lengths(), tf.int32)
    windows = text_windows.cut(lengths, room, max(1, room // 2))
    shown = text_windows.take(ids, windows)
    return windows, frame(shown, None, room, tokenizer.cls_id, tokenizer.sep_id)


def merge(values, windows):
    """Takes for each token of a text what there is to say of it in the window with most context.

    Args:
        values: ragged [windows, (tokens), ...], [CLS] and [SEP] included.
        windows: `Windows`.

    Returns:
        [tokens, ...] of all texts, one after the other.
    """
    return tf.boolean_mask(values[:, 1:-1].values, text_windows.has_most_context(windows).values)


def split(values, windows):
    """Gives each token's value to the window with most context, and -1 to others.

    Args:
        values: ragged int32 [texts, (tokens)].
        windows: `Windows`.

    Returns:
        int32 [windows, longest], -1 for [CLS], [SEP] and padding too.
    """
    shown = text_windows.take(values, windows)
    mine = text_windows.has_most_context(windows).values
    shown = shown.with_values(tf.where(mine, shown.values, -1))
    return tf.pad(shown.to_tensor(-1), [[0, 0], [1, 1]], constant_values=-1)
