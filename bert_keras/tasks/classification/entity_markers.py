"""Two entities of a text, marked in it so that a model reads which they are.

Zhou & Chen 2021 (arXiv 2102.01373), section 3: marks of punctuation, which vocabularies have and
pretrained models have read, do better than new tokens. The head stands between two "@", the tail
between two "#"; where types are known, they follow the first mark: "@ * person * Ada @".
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from bert_keras.errors import InputError
from bert_keras.text.framing import frame
from bert_keras.text.tokenizer import BertTokenizer

MARKS = ("@", "#")  # the head's and the tail's
_TYPE_MARKS = ("*", "^")
_SHORTEST = 8  # [CLS], [SEP], four marks, and a token of each entity
_FAR = 1 << 30


def mark(
    texts: tf.Tensor, spans: tf.Tensor, types: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Marks the head and the tail of each text, in graph ops.

    "@" and "#" of the text itself are read as spaces, so that what is marked is never in doubt.

    Args:
        texts: string [batch].
        spans: int32 [batch, 4]: where the head begins and ends, and the tail, in code points of the
            text, the ends exclusive.
        types: string [batch, 2], those of head and tail; None for none.

    Returns:
        marked: string [batch].
        valid: bool [batch], whether the spans are two parts of the text, neither empty, that have
            nothing in common. Where they are not, `marked` says nothing.
    """
    literal = f"[{''.join(MARKS)}]"
    texts = tf.strings.regex_replace(texts, literal, " ")
    lengths = tf.strings.length(texts, "UTF8_CHAR")
    spans = tf.reshape(spans, [-1, 2, 2])
    order = tf.argsort(spans[:, :, 0], axis=1)  # [batch, 2], which entity stands first
    spans = tf.gather(spans, order, batch_dims=1)
    # Where the five parts of a text begin and end: around and between the entities.
    bounds = tf.reshape(spans, [-1, 4])  # [batch, 4]
    bounds = tf.concat([tf.zeros_like(bounds[:, :1]), bounds, lengths[:, tf.newaxis]], 1)
    filled = spans[:, :, 0] < spans[:, :, 1]  # [batch, 2]
    sizes = bounds[:, 1:] - bounds[:, :-1]  # [batch, 5]
    valid = tf.reduce_all(sizes >= 0, axis=1) & tf.reduce_all(filled, axis=1)
    bounds, sizes = (tf.where(valid[:, tf.newaxis], each, 0) for each in (bounds, sizes))
    texts = tf.repeat(texts[:, tf.newaxis], 5, axis=1)
    parts = tf.strings.substr(texts, bounds[:, :-1], sizes, "UTF8_CHAR")  # [batch, 5]

    closing = tf.gather([f" {each} " for each in MARKS], order)  # [batch, 2]
    opening = closing
    if types is not None:
        types = tf.gather(tf.strings.regex_replace(types, literal, " "), order, batch_dims=1)
        around = tf.gather([f"{each} " for each in _TYPE_MARKS], order)
        opening = opening + around + types + " " + around
    marks = tf.reshape(tf.stack([opening, closing], axis=2), [-1, 4])
    pairs = tf.stack([parts[:, :4], marks], axis=2)  # [batch, 4, 2], each part before its mark
    pairs = tf.reshape(pairs, [-1, 8])
    return tf.strings.reduce_join(tf.concat([pairs, parts[:, 4:]], 1), axis=1), valid


class EntityTokenizer(BertTokenizer):
    """A `BertTokenizer` that cuts long texts around the two entities that `mark` marked.

    Args:
        vocabulary, *args, **kwargs: the original's.
        location: where the vocabulary is from, for messages.

    Raises:
        InputError: as the original's; or the vocabulary has no "@" or no "#".
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        *args: Any,
        location: Any = "vocabulary",
        **kwargs: Any,
    ):
        super().__init__(vocabulary, *args, **kwargs)
        for each in MARKS:
            if each not in self._tokens:
                raise InputError(
                    f"{location}: expected {' and '.join(MARKS)}, which mark entities, among the "
                    f"tokens, found no {each}."
                )
        self._mark_ids = tuple(map(self._tokens.index, MARKS))

    @classmethod
    def from_pretrained(cls, reference: Any, **changes: Any) -> "EntityTokenizer":
        return super().from_pretrained(reference, location=reference, **changes)

    def encode(
        self, texts: Any, pairs: Any = None, max_length: int | None = None
    ) -> dict[str, Any]:
        """Encodes single texts as `BertTokenizer` does, but keeps the tokens nearest to an entity.

        The marks are always kept, then the tokens of the entities, those nearest to the entity's
        start first, then the tokens with the fewest tokens between them and an entity. A text
        without marks loses its end.
        """
        if pairs is not None:
            raise InputError("Entities are marked in one text, found pairs of texts.")
        max_length = self.max_length if max_length is None else max_length
        if max_length < _SHORTEST:
            raise InputError(
                f"expected at least {_SHORTEST}, to hold two entities and their marks, found "
                f"{max_length}.",
                field="max_length",
            )
        ids, max_tokens = self.tokenize(texts), max_length - 2
        with tf.device("cpu"):
            kept = self._nearest_to_entities(ids, max_tokens)
            framed = frame(kept, None, max_tokens, self.cls_id, self.sep_id)
            cut = ids.row_lengths() - kept.row_lengths()
            return framed | {"truncated": tf.cast(cut, tf.int32)}

    def _nearest_to_entities(self, ids: tf.RaggedTensor, max_tokens: int) -> tf.RaggedTensor:
        """Keeps `max_tokens` tokens of each row of the ragged int32 [batch, (tokens)]."""
        rows, count = ids.value_rowids(), ids.nrows()
        position = tf.range(tf.size(ids.values))
        away = tf.fill(tf.shape(position), _FAR)  # [tokens]
        for mark_id in self._mark_ids:
            is_mark = ids.values == mark_id
            start = tf.math.unsorted_segment_min(tf.where(is_mark, position, _FAR), rows, count)
            end = tf.math.unsorted_segment_max(tf.where(is_mark, position, -_FAR), rows, count)
            start, end = tf.gather(start, rows), tf.gather(end, rows)  # [tokens]
            outside = tf.maximum(start - position, position - end)
            inside = position - start - _FAR
            here = tf.where(outside <= 0, inside, tf.minimum(outside, _FAR))
            away = tf.minimum(away, tf.where(is_mark, -_FAR - 1, here))
        key = rows * (1 << 32) + tf.cast(away, tf.int64)
        rank = tf.argsort(tf.argsort(key, stable=True))  # [tokens]
        rank = tf.cast(rank, tf.int64) - tf.gather(ids.row_starts(), rows)
        return tf.ragged.boolean_mask(ids, ids.with_values(rank < max_tokens))
